import type { BatchResult, EpochMetrics, Evaluation, RunSummary } from 'tailmix';
import type { Figures } from 'tailmix/tracking';

const prefixed = (section: string, values: Readonly<Record<string, number | null>>): Figures =>
  Object.fromEntries(
    Object.entries(values).flatMap(([key, value]) => (value === null ? [] : [[`${section}/${key}`, value]])),
  );

const evaluationFigures = (section: string, evaluation: Evaluation): Figures => ({
  ...prefixed(section, {
    accuracy: evaluation.accuracy,
    balanced_accuracy: evaluation.balancedAccuracy,
    many: evaluation.many,
    medium: evaluation.medium,
    few: evaluation.few,
    worst_class: evaluation.worstClass.accuracy,
    macro_f1: evaluation.macroF1,
    ece: evaluation.ece,
    top5: evaluation.top5,
    loss: evaluation.loss,
  }),
  ...prefixed(`${section}/figures`, evaluation.figures ?? {}),
});

/** Points of an epoch. MLflow shows a section for each part before the last `/`. Step: the epoch, from 1. */
export const epochFigures = ({
  train,
  test,
  validation,
  learningRate,
  seconds,
  waitSeconds,
  imagesPerSecond,
}: EpochMetrics): Figures => ({
  ...prefixed('train', {
    loss: train.loss,
    accuracy: train.accuracy,
    relabelled_share: train.relabelledShare,
    learning_rate: learningRate,
  }),
  ...prefixed('train/penalty', train.penalties),
  ...prefixed('train/figure', train.figures ?? {}),
  ...(test ? evaluationFigures('test', test) : {}),
  ...(validation ? evaluationFigures('validation', validation) : {}),
  ...prefixed('speed', {
    epoch_seconds: seconds,
    wait_seconds: waitSeconds,
    images_per_second: imagesPerSecond,
  }),
});

/** What a finished run came to, at step 0, so that MLflow shows bars: the last epoch, and what flatters by its name. */
export const finalFigures = ({
  last,
  lastFiveMedian,
  bestOnTest,
  chosenOnValidation,
  figures,
  rollbacks,
  seconds,
}: RunSummary): Figures => ({
  ...(last ? evaluationFigures('final', last) : {}),
  ...prefixed('further', figures ?? {}),
  ...prefixed('final', {
    chosen_on_validation_accuracy: chosenOnValidation?.accuracy ?? null,
    chosen_on_validation_balanced_accuracy: chosenOnValidation?.balancedAccuracy ?? null,
    chosen_on_validation_epoch: chosenOnValidation?.epoch ?? null,
    last5_median_accuracy: lastFiveMedian?.accuracy ?? null,
    last5_median_balanced_accuracy: lastFiveMedian?.balancedAccuracy ?? null,
    rollbacks: rollbacks?.length ?? null,
    seconds,
  }),
  ...prefixed('optimistic', {
    best_on_test_accuracy: bestOnTest?.accuracy ?? null,
    best_on_test_balanced_accuracy: bestOnTest?.balancedAccuracy ?? null,
    best_on_test_epoch: bestOnTest?.epoch ?? null,
  }),
});

/** Means over some steps, under keys of their own: their step is the run's, not the epoch. */
export function stepMeter(every: number) {
  let steps = 0;
  let images = 0;
  let loss = 0;
  let penalties: Record<string, number> = {};
  let since = 0;
  return {
    /** What the next points are means of so far; a run that is resumed goes on with it. */
    save: () => ({ steps, loss, penalties }),
    load(saved: { steps: number; loss: number; penalties: Record<string, number> }): void {
      ({ steps, loss, penalties } = saved);
    },
    /** Called when an epoch begins: evaluation is no training time. */
    restart(now: number): void {
      since = now;
      images = 0;
    },
    /** The points that are due after a step; null for none. */
    add(result: BatchResult, now: number): Figures | null {
      steps++;
      images += result.batch.size;
      loss += result.loss;
      for (const [plugin, penalty] of Object.entries(result.penalties))
        penalties[plugin] = (penalties[plugin] ?? 0) + penalty;
      if (result.step % every !== 0) return null;
      const count = steps;
      const mean = (sum: number): number => sum / count;
      const figures = {
        ...prefixed('step', {
          loss: mean(loss),
          learning_rate: result.learningRate,
          images_per_second: now > since ? (1000 * images) / (now - since) : null,
        }),
        ...prefixed(
          'step/penalty',
          Object.fromEntries(Object.entries(penalties).map(([plugin, sum]) => [plugin, mean(sum)])),
        ),
      };
      [steps, images, loss, penalties, since] = [0, 0, 0, {}, now];
      return figures;
    },
  };
}
