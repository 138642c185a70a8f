import { tf } from '../../tf.ts';
import type { BatchNormOutputs } from './batch-norm.ts';
import { customGradient } from './registry.ts';
import { nextStatistics } from './running-statistics.ts';

/** A vector `[n]` of each replica of a step, from this one's: `[replicas, n]`, the same for all. */
export type Across = (own: tf.Tensor) => tf.Tensor;

/** Batch norm by given statistics. */
export type Normalise = (
  x: tf.Tensor,
  scale: tf.Tensor,
  shift: tf.Tensor,
  mean: tf.Tensor,
  variance: tf.Tensor,
) => tf.Tensor;

/**
 * Batch normalisation in training by the statistics of all replicas, as PyTorch's SyncBatchNorm: those of the whole batch,
 * from each replica's mean and variance (Chan, Golub and LeVeque 1979). Its gradient sums over all replicas too.
 *
 * @param x - `[rows, height, width, channels]` of this replica; all replicas have as many. All else is `[channels]`.
 */
export function syncedBatchNorm(
  x: tf.Tensor,
  scale: tf.Tensor,
  shift: tf.Tensor,
  runningMean: tf.Tensor,
  runningVariance: tf.Tensor,
  { momentum, epsilon, across, normalise }: { momentum: number; epsilon: number; across: Across; normalise: Normalise },
): BatchNormOutputs {
  const channels = x.shape[3]!;
  const own = tf.moments(x, [0, 1, 2]);
  const [means, variances] = tf.split(across(tf.concat([own.mean, own.variance])), 2, 1) as [tf.Tensor, tf.Tensor];
  const count = (x.size / channels) * means.shape[0]!;
  const mean = means.mean(0);
  const variance = variances.add(means.sub(mean).square()).mean(0);
  const forward = customGradient(([x, scale, shift], save) => {
    save([x!, scale!, mean, variance]);
    return {
      value: normalise(x!, scale!, shift!, mean, variance),
      gradFunc: (dy, saved) => {
        const [x, scale, mean, variance] = saved as [tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor];
        const inverse = variance.add(epsilon).rsqrt();
        const normal = x.sub(mean).mul(inverse);
        const dshift = dy.sum([0, 1, 2]);
        const dscale = dy.mul(normal).sum([0, 1, 2]);
        const totals = across(tf.concat([dshift, dscale]))
          .sum(0)
          .div(count);
        const [all, along] = tf.split(totals, 2) as [tf.Tensor, tf.Tensor];
        return [dy.sub(all).sub(normal.mul(along)).mul(inverse.mul(scale)), dscale, dshift];
      },
    };
  });
  const running = { mean: runningMean, variance: runningVariance };
  return { y: forward(x, scale, shift), ...nextStatistics(running, { mean, variance }, count, momentum) };
}
