import type { tf } from '../../tf.ts';

/** Mean and variance of each channel, `[channels]`. */
interface Statistics {
  mean: tf.Tensor;
  variance: tf.Tensor;
}

/**
 * The next running statistics of a batch norm: `momentum` parts of a batch's, as in PyTorch, and of its variance the unbiased.
 *
 * @param count - how many values the batch's statistics are of
 */
export function nextStatistics(running: Statistics, batch: Statistics, count: number, momentum: number): Statistics {
  const carry = (old: tf.Tensor, now: tf.Tensor): tf.Tensor => old.mul(1 - momentum).add(now.mul(momentum));
  return {
    mean: carry(running.mean, batch.mean),
    variance: carry(running.variance, batch.variance.mul(count / Math.max(count - 1, 1))),
  };
}
