import { definePlugin, logPrior, tf, z } from 'tailmix';

const name = 'cdt';

const options = z.strictObject({
  gamma: z
    .number()
    .min(0)
    .default(0.2)
    .describe(
      'Power γ of the temperatures; 0 is cross-entropy. The authors search 0…0.4 on CIFAR-10, 0…0.2 on CIFAR-100.',
    ),
});

/**
 * Temperature of each class, `(n_max / n_c)^γ`: 1 for the largest. A class without images counts as one of a single
 * image.
 *
 * @param classCounts - `[C]`
 * @returns `[C]`
 */
export function classTemperatures(classCounts: readonly number[], gamma: number): Float64Array {
  const priors = logPrior(classCounts);
  const largest = Math.max(...priors);
  return priors.map((prior) => Math.exp(gamma * (largest - prior)));
}

/**
 * `z_c / a_c`.
 *
 * @param logits - `[batch, C]`
 * @param temperatures - a, `[C]`
 * @returns `[batch, C]`
 */
export const cooledLogits = (logits: tf.Tensor, temperatures: Float64Array): tf.Tensor =>
  logits.div(tf.tensor1d(Array.from(temperatures)));

/**
 * Class-dependent temperatures: training divides each logit by a temperature that grows with class rarity, so that the
 * logits of rare classes must grow.
 *
 * @example
 * ```ts
 * createTrainer({ data: { name: 'digits' }, model: { name: 'mlp' }, plugins: [cdt({ gamma: 0.2 })] });
 * ```
 * @example
 * ```yaml
 * plugins:
 *   - use: cdt
 *     gamma: 0.2
 * ```
 * @see Ye et al., Identifying and Compensating for Feature Deviation in Imbalanced Deep Learning, 2020,
 *   https://arxiv.org/abs/2001.01385
 */
export default definePlugin({
  name,
  options,
  provides: ['loss'],
  apply({ hooks, info: { classCounts } }, { gamma }) {
    const temperatures = classTemperatures(classCounts, gamma);
    hooks.buildLoss.tap(name, (loss) => ({
      ...loss,
      adjustLogits: (...given) => cooledLogits(loss.adjustLogits(...given), temperatures),
    }));
  },
});
