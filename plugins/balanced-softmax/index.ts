import { definePlugin, logPrior, tf, z } from 'tailmix';

const name = 'balanced-softmax';

/**
 * Logits of the balanced softmax, `z_c + log π_c`. The paper adds `log n_c`, which is the same up to a constant of the
 * row, and softmax does not see one.
 *
 * @param logits - `[batch, C]`
 * @param priors - `[C]`, log π
 * @returns `[batch, C]`
 */
export const balancedLogits = (logits: tf.Tensor, priors: Float64Array): tf.Tensor =>
  logits.add(tf.tensor1d(Array.from(priors)));

/**
 * Balanced softmax: trains on `n_c·exp(z_c) / Σ n·exp(z)`, so that the bare logits fit a test set of equal classes.
 *
 * @example
 * ```ts
 * createTrainer({ data: { name: 'digits' }, model: { name: 'mlp' }, plugins: [balancedSoftmax()] });
 * ```
 * @example
 * ```yaml
 * plugins:
 *   - use: balanced-softmax
 * ```
 * @see Ren et al., Balanced Meta-Softmax for Long-Tailed Visual Recognition, NeurIPS 2020,
 *   https://arxiv.org/abs/2007.10740
 */
export default definePlugin({
  name,
  options: z.strictObject({}),
  provides: ['loss'],
  corrects: () => 'class prior',
  apply({ hooks, info: { classCounts } }) {
    const priors = logPrior(classCounts);
    hooks.buildLoss.tap(name, (loss) => ({
      ...loss,
      adjustLogits: (...given) => balancedLogits(loss.adjustLogits(...given), priors),
    }));
  },
});
