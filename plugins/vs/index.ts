import { definePlugin, logPrior, tf, z } from 'tailmix';

const name = 'vs';

const options = z.strictObject({
  gamma: z.number().min(0).default(0.3).describe('Power γ of the factors (n_c / n_max)^γ; 0 is logit adjustment.'),
  tau: z.number().min(0).default(1).describe('Factor τ of log π; 0 is CDT.'),
});

/**
 * Factor and shift of each class: `Δ_c = (n_c / n_max)^γ`, `ι_c = τ·log π_c`. A class without images counts as one of a
 * single image.
 *
 * @param classCounts - `[C]`
 * @returns `factors` Δ and `shifts` ι, `[C]` each
 */
export function vectorScaling(
  classCounts: readonly number[],
  { gamma, tau }: z.output<typeof options>,
): { factors: Float64Array; shifts: Float64Array } {
  const priors = logPrior(classCounts);
  const largest = Math.max(...priors);
  return {
    factors: priors.map((prior) => Math.exp(gamma * (prior - largest))),
    shifts: priors.map((prior) => tau * prior),
  };
}

/**
 * `Δ_c·z_c + ι_c`.
 *
 * @param logits - `[batch, C]`
 * @returns `[batch, C]`
 */
export const scaledLogits = (logits: tf.Tensor, { factors, shifts }: ReturnType<typeof vectorScaling>): tf.Tensor =>
  logits.mul(tf.tensor1d(Array.from(factors))).add(tf.tensor1d(Array.from(shifts)));

/**
 * Vector scaling: in training each class's logit is multiplied by a factor and shifted, both according to how rare the
 * class is. CDT and logit adjustment are special cases.
 *
 * @example
 * ```ts
 * createTrainer({ data: { name: 'digits' }, model: { name: 'mlp' }, plugins: [vs({ gamma: 0.15, tau: 1.25 })] });
 * ```
 * @example
 * ```yaml
 * plugins:
 *   - use: vs
 *     gamma: 0.15
 *     tau: 1.25
 * ```
 * @see Kini et al., Label-Imbalanced and Group-Sensitive Classification under Overparameterization, NeurIPS 2021,
 *   https://arxiv.org/abs/2103.01550
 */
export default definePlugin({
  name,
  options,
  provides: ['loss'],
  corrects: ({ tau }) => (tau > 0 ? 'class prior' : null),
  apply({ hooks, info: { classCounts } }, options) {
    const scaling = vectorScaling(classCounts, options);
    hooks.buildLoss.tap(name, (loss) => ({
      ...loss,
      adjustLogits: (...given) => scaledLogits(loss.adjustLogits(...given), scaling),
    }));
  },
});
