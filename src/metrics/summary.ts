import { median } from './statistics.ts';
import type { EpochMetrics, Evaluation, PhaseSummary, RunSummary } from './types.ts';

/** The part of a {@link RunSummary} that follows from its epochs. */
export type EpochSummary = Pick<
  RunSummary,
  'phases' | 'last' | 'lastEpoch' | 'bestOnTest' | 'chosenOnValidation' | 'lastFiveMedian'
>;

/**
 * Last, best on test (the first epoch of the highest accuracy), chosen on validation (the first epoch of the highest
 * balanced accuracy there) and last-five median of a run; of its last phase, where it
 * has several.
 *
 * @param epochs - In order; epochs without a test evaluation count for nothing but `lastEpoch`.
 */
export function summarizeEpochs(epochs: readonly EpochMetrics[]): EpochSummary {
  const phase = epochs.at(-1)?.phase;
  const evaluated = epochs.flatMap(({ epoch, test, validation, phase: own }) =>
    test && own === phase ? [{ epoch, test, validation }] : [],
  );
  const last = evaluated.at(-1);
  const phases = phase === undefined ? {} : { phases: summarizePhases(epochs) };
  if (!last)
    return { ...phases, last: null, lastEpoch: epochs.at(-1)?.epoch ?? 0, bestOnTest: null, lastFiveMedian: null };
  const best = evaluated.reduce((a, b) => (b.test.accuracy > a.test.accuracy ? b : a));
  const chosen = evaluated
    .filter(({ validation }) => validation !== null)
    .reduce<(typeof evaluated)[number] | null>(
      (a, b) => (a === null || b.validation!.balancedAccuracy > a.validation!.balancedAccuracy ? b : a),
      null,
    );
  const lastFive = evaluated.slice(-5).map(({ test }) => test);
  return {
    ...phases,
    last: last.test,
    lastEpoch: last.epoch,
    bestOnTest: figuresOf(best),
    ...(chosen && { chosenOnValidation: figuresOf(chosen) }),
    lastFiveMedian: {
      accuracy: median(lastFive.map(({ accuracy }) => accuracy)),
      balancedAccuracy: median(lastFive.map(({ balancedAccuracy }) => balancedAccuracy)),
    },
  };
}

const figuresOf = ({ epoch, test }: { epoch: number; test: Evaluation }) => ({
  epoch,
  accuracy: test.accuracy,
  balancedAccuracy: test.balancedAccuracy,
});

function summarizePhases(epochs: readonly EpochMetrics[]): PhaseSummary[] {
  return [...new Set(epochs.map(({ phase }) => phase!))].map((name) => {
    const own = epochs.filter(({ phase }) => phase === name);
    const last = own.findLast(({ test }) => test !== null)?.test ?? null;
    return { name, epochs: own.length, last: last && withoutConfusion(last) };
  });
}

/** An evaluation as `metrics.jsonl` keeps it: without its confusion matrix. */
export const withoutConfusion = (evaluation: Evaluation): Evaluation => ({ ...evaluation, confusion: null });

/** Metrics of an epoch without confusion matrices; the same object where there is none. */
export function withoutConfusions(metrics: EpochMetrics): EpochMetrics {
  const { test, validation } = metrics;
  if (!test?.confusion && !validation?.confusion) return metrics;
  return { ...metrics, test: test && withoutConfusion(test), validation: validation && withoutConfusion(validation) };
}
