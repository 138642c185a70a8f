import { BINS, binOf } from './bins.ts';
import { createConfusion } from './confusion.ts';
import { classCountMismatch, labelOutOfRange, logitsShape, nonFiniteLogit, nothingEvaluated } from './errors.ts';
import { defaultGroups, type GroupName, groupOf } from './groups.ts';
import { mean } from './statistics.ts';
import type { Evaluation, GroupRule, ReliabilityBin } from './types.ts';

/** What an evaluation is of. */
export interface EvaluatorOptions {
  /** Class names in label order, `[C]`. */
  classes: readonly string[];
  /** Training images per class, `[C]`: they put the classes into groups. */
  classCounts: ArrayLike<number>;
  /** Default: more than 100, 20 to 100, fewer than 20. */
  groups?: GroupRule;
}

/** Collects predictions batch by batch; keeps sums only, so that a split of any size fits. */
export interface Evaluator {
  /**
   * Adds a batch.
   *
   * @param logits - `[n, C]`, row-major: plain outputs of the network, without margins, priors or weights.
   * @param labels - `[n]`, true classes.
   */
  add(logits: Float32Array, labels: Int32Array): void;
  /** Figures over everything added so far. */
  result(): Evaluation;
}

/**
 * Streaming evaluation of a classifier, in double precision and without tensors.
 *
 * The prediction is the highest logit; of equal ones the first class. Macro-F1 is over the whole data set and over the
 * classes that occur as label or as prediction, as scikit-learn has it. ECE has 15 bins of equal width, closed above
 * (Guo et al. 2017).
 *
 * @throws {TailmixError} METRICS_CLASSES, METRICS_GROUPS; `add` throws METRICS_SHAPE, METRICS_LABEL and
 * `METRICS_NOT_FINITE`, `result` throws `METRICS_EMPTY`.
 */
export function createEvaluator({ classes, classCounts, groups = defaultGroups }: EvaluatorOptions): Evaluator {
  const C = classes.length;
  if (classCounts.length !== C) throw classCountMismatch(C, classCounts.length);
  const groupOfClass = Array.from(classCounts, (count) => groupOf(count, groups));

  const support = new Float64Array(C);
  const predicted = new Float64Array(C);
  const correct = new Float64Array(C);
  const confusion = createConfusion(C);
  const binCount = new Float64Array(BINS);
  const binConfidence = new Float64Array(BINS);
  const binCorrect = new Float64Array(BINS);
  let count = 0;
  let lossSum = 0;
  let top5Sum = 0;

  return {
    add(logits, labels) {
      if (logits.length !== labels.length * C) throw logitsShape(logits.length, labels.length, C);
      for (let i = 0; i < labels.length; i++) {
        const label = labels[i]!;
        if (!(label >= 0 && label < C)) throw labelOutOfRange(label, count, C);
        const row = logits.subarray(i * C, (i + 1) * C);
        const { best, rank, confidence, loss } = readRow(row, label, (c) =>
          nonFiniteLogit(row[c]!, count, c, classes[c]!),
        );

        const hit = best === label ? 1 : 0;
        support[label]! += 1;
        predicted[best]! += 1;
        correct[label]! += hit;
        confusion.add(label, best);
        const bin = binOf(confidence);
        binCount[bin]! += 1;
        binConfidence[bin]! += confidence;
        binCorrect[bin]! += hit;
        lossSum += loss;
        if (rank < 5) top5Sum += 1;
        count += 1;
      }
    },

    result() {
      if (count === 0) throw nothingEvaluated();
      const perClass = Array.from(support, (n, c) => (n === 0 ? null : correct[c]! / n));
      const tested = perClass.flatMap((accuracy, label) => (accuracy === null ? [] : [{ label, accuracy }]));
      const worst = tested.reduce((a, b) => (b.accuracy < a.accuracy ? b : a));
      const inGroup = (name: GroupName) => {
        const members = tested.filter(({ label }) => groupOfClass[label] === name);
        return members.length === 0 ? null : mean(members.map(({ accuracy }) => accuracy));
      };
      const f1 = Array.from(support, (n, c) => {
        const either = n + predicted[c]!;
        return either === 0 ? null : (2 * correct[c]!) / either;
      }).filter((value) => value !== null);
      let calibrationGap = 0;
      for (let b = 0; b < BINS; b++) calibrationGap += Math.abs(binConfidence[b]! - binCorrect[b]!);
      const reliability = Array.from(binCount, (n, b): ReliabilityBin => {
        return n === 0
          ? { count: 0, confidence: null, accuracy: null }
          : { count: n, confidence: binConfidence[b]! / n, accuracy: binCorrect[b]! / n };
      });

      return {
        count,
        loss: lossSum / count,
        accuracy: correct.reduce((a, b) => a + b, 0) / count,
        balancedAccuracy: mean(tested.map(({ accuracy }) => accuracy)),
        perClass,
        many: inGroup('many'),
        medium: inGroup('medium'),
        few: inGroup('few'),
        worstClass: { label: worst.label, name: classes[worst.label]!, accuracy: worst.accuracy },
        macroF1: mean(f1),
        ece: calibrationGap / count,
        reliability,
        top5: C > 5 ? top5Sum / count : null,
        confusion: confusion.result(),
      };
    },
  };
}

/**
 * Highest class and its probability, place of the label (0: first; of equal logits the lower class comes first) and
 * cross-entropy, both by a log-sum-exp taken from the highest logit.
 */
function readRow(row: Float32Array, label: number, nonFinite: (c: number) => Error) {
  let best = 0;
  let rank = 0;
  const own = row[label]!;
  for (let c = 0; c < row.length; c++) {
    const value = row[c]!;
    if (!Number.isFinite(value)) throw nonFinite(c);
    if (value > row[best]!) best = c;
    if (value > own || (value === own && c < label)) rank += 1;
  }
  const highest = row[best]!;
  let sum = 0;
  for (let c = 0; c < row.length; c++) sum += Math.exp(row[c]! - highest);
  return { best, rank, confidence: 1 / sum, loss: highest - own + Math.log(sum) };
}
