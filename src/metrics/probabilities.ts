import { BINS, binOf } from './bins.ts';
import type { GroupName } from './groups.ts';
import type { LogitTable } from './logits.ts';
import { areaUnderRiskCoverage } from './selective.ts';

/** Figures of the softmax probabilities of an evaluation. */
export interface ProbabilityFigures {
  /** Mean cross-entropy. */
  nll: number;
  /** Mean squared distance of the probabilities from the label's 0 and 1, summed over the classes; 0…2. */
  brier: number;
  /** Mean, over the classes, of the calibration error of each class's own probability. */
  classwiseEce: number;
  /**
   * Expected calibration error, of the probability of the predicted class, over the images of a group's classes; groups
   * without an image are not there.
   */
  groupEce: Partial<Record<GroupName, number>>;
  /** Area under the risk-coverage curve by the highest probability. */
  aurc: number;
}

/**
 * Proper scores, calibration and failure prediction, in one pass over the logits.
 *
 * @param groupOfClass - `[C]`
 * @see Brier 1950; Guo et al. 2017 (ECE); Kull et al. 2019 (class-wise ECE); Geifman et al. 2019 (AURC)
 */
export function probabilityFigures(table: LogitTable, groupOfClass: readonly GroupName[]): ProbabilityFigures {
  const { count, labels } = table;
  const C = groupOfClass.length;
  const confidence = new Float64Array(count);
  const correct = new Uint8Array(count);
  // By bin, then by class: nearly all probabilities lie in the lowest bin.
  const gaps = new Float64Array(BINS * C);
  const byGroup = new Map<GroupName, ReturnType<typeof createGaps>>();
  const weights = new Float64Array(C);
  let [brier, nll] = [0, 0];
  for (let i = 0; i < count; i++) {
    const row = table.below(i);
    const label = labels[i]!;
    let best = 0;
    let sum = 0;
    for (let c = 0; c < C; c++) {
      if (row[c]! > row[best]!) best = c;
      const weight = Math.exp(row[c]!);
      weights[c] = weight;
      sum += weight;
    }
    let squares = 0;
    for (let c = 0; c < C; c++) {
      const probability = weights[c]! / sum;
      squares += probability * probability;
      gaps[binOf(probability) * C + c]! += probability;
    }
    const own = weights[label]! / sum;
    gaps[binOf(own) * C + label]! -= 1;
    brier += squares - 2 * own + 1;
    nll += Math.log(sum) - row[label]!;
    confidence[i] = weights[best]! / sum;
    correct[i] = best === label ? 1 : 0;
    const group = groupOfClass[label]!;
    const gapsOfGroup = byGroup.get(group) ?? createGaps();
    gapsOfGroup.add(confidence[i]!, correct[i]!);
    byGroup.set(group, gapsOfGroup);
  }
  return {
    nll: nll / count,
    brier: brier / count,
    classwiseEce: gaps.reduce((total, gap) => total + Math.abs(gap), 0) / (count * C),
    groupEce: Object.fromEntries([...byGroup].map(([group, gapsOfGroup]) => [group, gapsOfGroup.result()])),
    aurc: areaUnderRiskCoverage(confidence, correct),
  };
}

function createGaps() {
  const gaps = new Float64Array(BINS);
  let count = 0;
  return {
    add(confidence: number, correct: number): void {
      gaps[binOf(confidence)]! += confidence - correct;
      count++;
    },
    result: (): number => gaps.reduce((sum, gap) => sum + Math.abs(gap), 0) / count,
  };
}

/**
 * Accuracy per class of predictions that add an offset to the logits of each class.
 *
 * @param offsets - `[C]` each
 * @returns for each of them `[C]`, null for a class without an image
 */
export function adjustedPerClass(table: LogitTable, offsets: readonly Float64Array[]): (number | null)[][] {
  const C = offsets[0]!.length;
  const support = new Float64Array(C);
  const correct = offsets.map(() => new Float64Array(C));
  for (let i = 0; i < table.count; i++) {
    const row = table.below(i);
    const label = table.labels[i]!;
    support[label]! += 1;
    for (const [k, offset] of offsets.entries()) {
      let best = 0;
      let highest = Number.NEGATIVE_INFINITY;
      for (let c = 0; c < C; c++) {
        const score = row[c]! + offset[c]!;
        if (score > highest) {
          highest = score;
          best = c;
        }
      }
      if (best === label) correct[k]![label]! += 1;
    }
  }
  return correct.map((own) => Array.from(own, (hits, c) => (support[c] === 0 ? null : hits / support[c]!)));
}
