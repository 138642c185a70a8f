import { definePlugin, type tf, z } from 'tailmix';

const name = 'logit-norm';

const options = z.strictObject({
  tau: z
    .number()
    .positive()
    .default(0.04)
    .describe('Temperature τ: the logits of the loss have the length 1/τ; 0.04 is the authors’ for CIFAR-10.'),
});

/** Keeps a row of zeros from dividing by zero; the number of the authors' code. */
const TINY = 1e-7;

/** `z / (τ·‖z‖)` of each row, `[B, C]` (LogitNorm of Wei et al. 2022). */
export const normalisedLogits = (logits: tf.Tensor, tau: number): tf.Tensor =>
  logits.div(
    logits
      .square()
      .sum(1, true)
      .add(TINY ** 2)
      .sqrt()
      .mul(tau),
  );

/**
 * LogitNorm: cross-entropy of logits that all have the same length, so that the network cannot become confident by making
 * them longer.
 *
 * @example
 * ```ts
 * createTrainer({ data: { name: 'digits' }, model: { name: 'mlp' }, plugins: [logitNorm({ tau: 0.04 })] });
 * ```
 * @example
 * ```yaml
 * plugins:
 *   - use: logit-norm
 *     tau: 0.04
 * ```
 * @see Wei et al., Mitigating Neural Network Overconfidence with Logit Normalization, ICML 2022,
 *   https://arxiv.org/abs/2205.09310
 */
export default definePlugin({
  name,
  options,
  provides: ['loss'],
  apply({ hooks }, { tau }) {
    hooks.buildLoss.tap(name, (loss) => ({
      ...loss,
      adjustLogits: (logits, labels, pass) => normalisedLogits(loss.adjustLogits(logits, labels, pass), tau),
    }));
  },
});
