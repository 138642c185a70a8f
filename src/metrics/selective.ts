import type { LogitTable } from './logits.ts';

/**
 * Area under the risk-coverage curve: the mean, over all n, of the error rate of the n images of highest confidence. 0 is
 * perfect; a confidence that says nothing gives the error rate. Of images of equal confidence each order counts alike.
 *
 * @param confidence - `[N]`
 * @param correct - `[N]`, 1 where the prediction is right
 * @see Geifman et al. 2019, "Bias-reduced uncertainty estimation for deep neural classifiers"
 */
export function areaUnderRiskCoverage(confidence: Float64Array, correct: Uint8Array): number {
  const order = orderOf(confidence);
  let [errors, sum] = [0, 0];
  for (let from = 0; from < order.length; ) {
    let to = from;
    let own = 0;
    while (to < order.length && confidence[order[to]!] === confidence[order[from]!]) own += 1 - correct[order[to++]!]!;
    for (let n = from + 1; n <= to; n++) sum += (errors + (own * (n - from)) / (to - from)) / n;
    errors += own;
    from = to;
  }
  return sum / order.length;
}

/** Images from the highest confidence down. */
function orderOf(confidence: Float64Array): Uint32Array {
  return Uint32Array.from(confidence, (_, i) => i).sort((a, b) => confidence[b]! - confidence[a]!);
}

/** How well a score tells two sets of images apart. */
export interface Separation {
  /** Probability that an image of the first set scores higher than one of the second; equal scores count half. */
  auroc: number;
  /** Share of the second set that scores at least as high as 95% of the first do. */
  fpr95: number;
}

/**
 * Area under the ROC curve and false positive rate at 95% true positives, of a score that should be high for the first set.
 *
 * @param inside - scores of images that are of the classes; at least one
 * @param outside - scores of others; at least one
 * @see Hendrycks & Gimpel 2017, "A baseline for detecting misclassified and out-of-distribution examples"
 */
export function separation(inside: Float64Array, outside: Float64Array): Separation {
  const [within, beyond] = [inside.toSorted(), outside.toSorted()];
  let [below, equalTo, sum] = [0, 0, 0];
  for (const score of within) {
    while (below < beyond.length && beyond[below]! < score) below++;
    if (equalTo < below) equalTo = below;
    while (equalTo < beyond.length && beyond[equalTo]! === score) equalTo++;
    sum += (below + equalTo) / 2;
  }
  const threshold = within[within.length - Math.ceil(0.95 * within.length)]!;
  const taken = beyond.filter((score) => score >= threshold).length;
  return { auroc: sum / (within.length * beyond.length), fpr95: taken / beyond.length };
}

/** Highest softmax probability of each image, `[N]`: the score of Hendrycks & Gimpel 2017. */
export function confidences(table: LogitTable): Float64Array {
  const all = new Float64Array(table.count);
  for (let i = 0; i < table.count; i++) {
    let sum = 0;
    for (const below of table.below(i)) sum += Math.exp(below);
    all[i] = 1 / sum;
  }
  return all;
}
