import { median } from './statistics.ts';
import type { EpochMetrics, Evaluation, RunSummary } from './types.ts';

/** The part of a {@link RunSummary} that follows from its epochs. */
export type EpochSummary = Pick<RunSummary, 'last' | 'lastEpoch' | 'bestOnTest' | 'lastFiveMedian'>;

/**
 * Last, best on test (the first epoch of the highest accuracy) and last-five median of a run.
 *
 * @param epochs In order; epochs without a test evaluation count for nothing but `lastEpoch`.
 */
export function summarizeEpochs(epochs: readonly EpochMetrics[]): EpochSummary {
  const evaluated = epochs.flatMap(({ epoch, test }) => (test ? [{ epoch, test }] : []));
  const last = evaluated.at(-1);
  if (!last) return { last: null, lastEpoch: epochs.at(-1)?.epoch ?? 0, bestOnTest: null, lastFiveMedian: null };
  const best = evaluated.reduce((a, b) => (b.test.accuracy > a.test.accuracy ? b : a));
  const lastFive = evaluated.slice(-5).map(({ test }) => test);
  return {
    last: last.test,
    lastEpoch: last.epoch,
    bestOnTest: {
      epoch: best.epoch,
      accuracy: best.test.accuracy,
      balancedAccuracy: best.test.balancedAccuracy,
    },
    lastFiveMedian: {
      accuracy: median(lastFive.map(({ accuracy }) => accuracy)),
      balancedAccuracy: median(lastFive.map(({ balancedAccuracy }) => balancedAccuracy)),
    },
  };
}

/** An evaluation as `metrics.jsonl` keeps it: without its confusion matrix. */
export const withoutConfusion = (evaluation: Evaluation): Evaluation => ({ ...evaluation, confusion: null });
