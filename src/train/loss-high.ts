import process from 'node:process';
import type { EpochMetrics } from '../metrics/types.ts';

/** Times the cross-entropy of guessing, ln C. No loss of a method that learns comes near: LDAM's, with its scale of 30, is below 60. */
const BOUND = 1000;

/**
 * Warns, with the code `LOSS_HIGH`, of the first epoch whose mean loss is finite and above 1,000 ln C: such a run has diverged, and none of
 * its numbers is infinite. It goes on, and its checkpoints are written.
 *
 * @param classes - C
 * @param before - epochs before this one
 */
export function warnOfHighLoss(metrics: EpochMetrics, classes: number, before: readonly EpochMetrics[]): void {
  const bound = BOUND * Math.log(classes);
  if (metrics.train.loss <= bound || before.some(({ train }) => train.loss > bound)) return;
  process.emitWarning(
    `epoch ${metrics.epoch}: the mean loss is ${metrics.train.loss.toPrecision(3)}, more than ${BOUND} times that of guessing (${Math.log(classes).toPrecision(3)}). The run has most likely diverged, although every number in it is finite: train.onNaN does nothing here. Lower train.optimizer.learningRate (${metrics.learningRate} in this epoch), or add grad-clip; checkpoints of earlier epochs are kept as checkpoint.keep says.`,
    { type: 'TailmixWarning', code: 'LOSS_HIGH' },
  );
}
