import { definePlugin, oneHot, tf, z } from 'tailmix';

const name = 'ldam';

const options = z.strictObject({
  maxMargin: z
    .number()
    .min(0)
    .default(0.5)
    .describe('Margin of the rarest class, as a cosine; the authors use 0.3 on iNaturalist.'),
  scale: z.number().positive().default(30).describe('Factor s of the cosines after the margin.'),
});

/**
 * Margin of each class, `n^(−1/4)` scaled so that the largest is `maxMargin` (Cao et al. 2019, eq. 11 and its code).
 * A class without images has none.
 *
 * @param classCounts - `[C]`
 * @returns `[C]`, as cosines
 */
export function ldamMargins(classCounts: readonly number[], maxMargin: number): Float64Array {
  const smallest = Math.min(...classCounts.filter((n) => n > 0));
  return Float64Array.from(classCounts, (n) => (n > 0 ? maxMargin * (smallest / n) ** 0.25 : 0));
}

/**
 * `scale · (cos_c − margin_c·[c = y])`: the margin of its own label off each row, nothing off the other classes.
 *
 * @param logits - `[batch, C]`, cosines times `headScale`
 * @param labels - `[batch]` int32
 * @param margins - `[C]`
 * @returns `[batch, C]`
 */
export function ldamLogits(
  logits: tf.Tensor,
  labels: tf.Tensor,
  margins: Float64Array,
  { scale, headScale }: { scale: number; headScale: number },
): tf.Tensor {
  const scaledMargins = tf.tensor1d(Array.from(margins, (margin) => scale * margin));
  const isLabel = oneHot(labels, margins.length);
  return logits.mul(scale / headScale).sub(isLabel.mul(scaledMargins));
}

/**
 * Label-distribution-aware margins: cross-entropy over scaled cosines, in which the label has to win by a margin that
 * is larger for rarer classes.
 *
 * @example
 * ```ts
 * createTrainer({
 *   data: { name: 'digits' },
 *   model: { name: 'resnet32', head: 'cosine' },
 *   plugins: [ldam(), drw({ deferUntil: 0.8 })],
 * });
 * ```
 * @example
 * ```yaml
 * model:
 *   name: resnet32
 *   head: cosine
 * plugins:
 *   - use: ldam
 *   - use: drw
 *     deferUntil: 0.8
 * ```
 * @see Cao et al., Learning Imbalanced Datasets with Label-Distribution-Aware Margin Loss, NeurIPS 2019,
 *   https://arxiv.org/abs/1906.07413
 */
export default definePlugin({
  name,
  options,
  provides: ['loss'],
  head: 'cosine',
  apply({ hooks, info: { classCounts, head } }, { maxMargin, scale }) {
    const margins = ldamMargins(classCounts, maxMargin);
    const headScale = head?.scale ?? 1;
    hooks.buildLoss.tap(name, (loss) => ({
      ...loss,
      adjustLogits: (logits, labels, pass) =>
        ldamLogits(loss.adjustLogits(logits, labels, pass), labels, margins, { scale, headScale }),
    }));
    hooks.buildPrediction.tap(
      name,
      (predict) =>
        (...given) =>
          predict(...given).mul(scale / headScale),
    );
  },
});
