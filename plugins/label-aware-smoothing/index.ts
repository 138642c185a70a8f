import { definePlugin, Order, tf, z } from 'tailmix';
import { smoothed } from 'tailmix/plugins/label-smoothing';

const name = 'label-aware-smoothing';

const options = z.strictObject({
  head: z.number().min(0).lt(1).default(0.3).describe('ε of the largest class; 0.4 for CIFAR-100 in the paper.'),
  tail: z.number().min(0).lt(1).default(0).describe('ε of the smallest class; 0.1 for CIFAR-100 in the paper.'),
  shape: z
    .enum(['concave', 'linear', 'convex'])
    .default('concave')
    .describe('How ε grows with the size of a class: as a sine, linearly, or as 1 minus a cosine.'),
});

/**
 * ε of each class: ε_tail + (ε_head − ε_tail)·f((n − n_min) / (n_max − n_min)), with f(x) = sin(πx/2) (concave), x, or
 * 1 − cos(πx/2) (convex) (Zhong et al. 2021, eq. 8). Classes of one size all have ε_tail.
 *
 * @param classCounts - `[C]`
 * @returns `[C]`
 */
export function smoothingOf(
  classCounts: readonly number[],
  { head, tail, shape }: z.output<typeof options>,
): Float64Array {
  const smallest = Math.min(...classCounts);
  const range = Math.max(...classCounts) - smallest;
  return Float64Array.from(classCounts, (n) => {
    const x = range > 0 ? (n - smallest) / range : 0;
    const growth = { concave: Math.sin((Math.PI * x) / 2), linear: x, convex: 1 - Math.cos((Math.PI * x) / 2) };
    return tail + (head - tail) * growth[shape];
  });
}

/**
 * Label-aware smoothing: smooths the labels of large classes more than those of small ones, because a network trained
 * on a long tail is overconfident in large classes.
 *
 * @example
 * ```ts
 * createTrainer({
 *   data: { name: 'digits' },
 *   model: { name: 'mlp' },
 *   plugins: [labelAwareSmoothing({ head: 0.3, tail: 0 })],
 * });
 * ```
 * @example
 * ```yaml
 * plugins:
 *   - use: label-aware-smoothing
 *     head: 0.3
 *     tail: 0
 * ```
 * @see Zhong et al., Improving Calibration for Long-Tailed Recognition (MiSLAS), CVPR 2021,
 *   https://arxiv.org/abs/2104.00466
 */
export default definePlugin({
  name,
  options,
  provides: ['smooth'],
  apply({ hooks, info: { classCounts } }, options) {
    const epsilons = Float32Array.from(smoothingOf(classCounts, options));
    hooks.buildLoss.tap({ name, stage: Order.Smooth }, (loss) =>
      smoothed(loss, (labels) => tf.gather(tf.tensor1d(epsilons), labels)),
    );
  },
});
