import { definePlugin, inverseFrequencyWeights, Order, type Random, z } from 'tailmix';

const name = 'balanced-mixup';

const options = z.strictObject({
  alpha: z
    .number()
    .min(0)
    .default(0.2)
    .describe(
      'The share of the balanced image is drawn from Beta(alpha, 1), mean alpha / (1 + alpha); 0 mixes nothing.',
    ),
});

/**
 * Partners and weights of a batch: image i is mixed with row `start + i` of the class-balanced draw, which has a share
 * from Beta(α, 1) of the image; λ = 1 − share, one for the whole batch.
 *
 * @param size - B
 * @param start - first row of the second draw in the pool
 * @returns `pair` `[B]`, `lambda` `[B]`
 */
export function balancedMixupBatch(
  size: number,
  start: number,
  { alpha }: z.output<typeof options>,
  random: Random,
): { pair: Int32Array; lambda: Float32Array } {
  const share = alpha > 0 ? random.beta(alpha, 1) : 0;
  return {
    pair: Int32Array.from({ length: size }, (_, i) => start + i),
    lambda: new Float32Array(size).fill(1 - share),
  };
}

/**
 * Balanced-MixUp: mixes each image slightly with one from a second, class-balanced draw.
 *
 * @example
 * ```ts
 * createTrainer({ data: { name: 'digits' }, model: { name: 'mlp' }, plugins: [balancedMixup({ alpha: 0.2 })] });
 * ```
 * @example
 * ```yaml
 * plugins:
 *   - use: balanced-mixup
 *     alpha: 0.2
 * ```
 * @see Galdran, Carneiro, González Ballester, Balanced-MixUp for Highly Imbalanced Medical Image Classification, MICCAI
 *   2021, https://arxiv.org/abs/2109.09850
 */
export default definePlugin({
  name,
  options,
  provides: ['mix'],
  conflicts: ({ alpha }) => (alpha === 0 ? { relabel: 'alpha is 0: nothing is mixed, and no label changes.' } : {}),
  variants: () => ({ mix: ['input'] }),
  rows: (_, { classCounts }) => {
    const weights = inverseFrequencyWeights(classCounts);
    return { balanced: { weights: () => weights } };
  },
  apply({ hooks, random }, options) {
    hooks.onBatch.tap({ name, stage: Order.Mix }, (batch, { epoch, step }) => {
      const { start } = batch.groups[`${name}/balanced`]!;
      return { ...batch, ...balancedMixupBatch(batch.size, start, options, random(epoch, step)) };
    });
  },
});
