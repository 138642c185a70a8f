import { definePlugin, logPrior, tf, z } from 'tailmix';

const name = 'logit-adjustment';

const options = z.strictObject({
  mode: z
    .enum(['loss', 'post-hoc'])
    .default('loss')
    .describe('`loss` adds τ·log π to the logits in training; `post-hoc` subtracts it in prediction instead.'),
  tau: z.number().min(0).default(1).describe('Factor τ of log π; 0 adjusts nothing.'),
});

/**
 * `z_c + τ·log π_c`; a negative `tau` is the post-hoc form.
 *
 * @param logits - `[batch, C]`
 * @param priors - `[C]`, log π
 * @returns `[batch, C]`
 */
export const adjustedLogits = (logits: tf.Tensor, priors: Float64Array, tau: number): tf.Tensor =>
  logits.add(tf.tensor1d(Array.from(priors, (prior) => tau * prior)));

/**
 * Logit adjustment by the class prior, in the loss or after training.
 *
 * @example
 * ```ts
 * createTrainer({
 *   data: { name: 'digits' },
 *   model: { name: 'mlp' },
 *   plugins: [logitAdjustment({ mode: 'post-hoc', tau: 1 })],
 * });
 * ```
 * @example
 * ```yaml
 * plugins:
 *   - use: logit-adjustment
 *     mode: post-hoc
 *     tau: 1
 * ```
 * @see Menon et al., Long-tail learning via logit adjustment, ICLR 2021, https://arxiv.org/abs/2007.07314
 */
export default definePlugin({
  name,
  options,
  provides: ['loss'],
  corrects: ({ tau }) => (tau > 0 ? 'class prior' : null),
  apply({ hooks, info: { classCounts } }, { mode, tau }) {
    const priors = logPrior(classCounts);
    if (mode === 'loss') {
      hooks.buildLoss.tap(name, (loss) => ({
        ...loss,
        adjustLogits: (...given) => adjustedLogits(loss.adjustLogits(...given), priors, tau),
      }));
    } else {
      hooks.buildPrediction.tap(
        name,
        (predict) =>
          (...given) =>
            adjustedLogits(predict(...given), priors, -tau),
      );
    }
  },
});
