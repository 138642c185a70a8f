import { type Batch, type Box, definePlugin, Order, partners, type Random, z } from 'tailmix';
import { mixupLambda } from 'tailmix/plugins/mixup';

const name = 'cutmix';

const options = z.strictObject({
  alpha: z
    .number()
    .min(0)
    .default(1)
    .describe('λ, from which the patch has its size, is drawn from Beta(alpha, alpha); 0 pastes nothing.'),
  probability: z.number().min(0).max(1).default(1).describe('Share of the batches that are mixed.'),
});

/**
 * A patch of about `(1 − lambda)` of the image: sides `trunc(side·√(1 − λ))`, centre uniform over the pixels, corners
 * at centre ± side // 2, clipped to the image (Yun et al. 2019, section 3.1, eq. 3, and their code). An odd side loses a
 * pixel and a patch over the edge is cut off, so that only {@link keptShare} tells what stays of the image.
 *
 * @param lambda - share of the image to keep, in 0…1
 */
export function randomBox(height: number, width: number, lambda: number, random: Random): Box {
  const cut = Math.sqrt(1 - lambda);
  const [left, right] = span(width, Math.trunc(width * cut), random.integer(width));
  const [top, bottom] = span(height, Math.trunc(height * cut), random.integer(height));
  return { top, bottom, left, right };
}

function span(length: number, side: number, centre: number): [start: number, end: number] {
  const half = Math.floor(side / 2);
  return [Math.max(centre - half, 0), Math.min(centre + half, length)];
}

/** Share of the image's pixels outside the patch: λ once more, after rounding and clipping. */
export const keptShare = ({ top, bottom, left, right }: Box, height: number, width: number): number =>
  1 - ((bottom - top) * (right - left)) / (height * width);

/**
 * Partners, patch and weights of a batch: each image gets the patch of its partner at the same place, and λ is exactly
 * the share that it keeps. The coin for `probability` is drawn first, the partners next.
 *
 * @param imageShape - `[height, width, …]`
 * @returns what changes in the batch: nothing when the coin says so; else `pair` `[B]`, `lambda` `[B]`, one `box` for all
 */
export function cutmixBatch(
  batch: Pick<Batch, 'size' | 'replicas'>,
  [height, width]: readonly [height: number, width: number, ...rest: number[]],
  { alpha, probability }: z.output<typeof options>,
  random: Random,
): Partial<Pick<Batch, 'pair' | 'lambda' | 'box'>> {
  if (random.uniform() >= probability) return {};
  const pair = partners(batch, random);
  const box = randomBox(height, width, mixupLambda(alpha, random), random);
  return { pair, box, lambda: new Float32Array(batch.size).fill(keptShare(box, height, width)) };
}

/**
 * CutMix: pastes a patch of another image of the batch over each image, and weights the two labels by their shares of
 * the pixels.
 *
 * @example
 * ```ts
 * createTrainer({ data: { name: 'digits' }, model: { name: 'mlp' }, plugins: [cutmix({ probability: 0.5 })] });
 * ```
 * @example
 * ```yaml
 * plugins:
 *   - use: cutmix
 *     probability: 0.5
 * ```
 * @see Yun et al., CutMix: Regularization Strategy to Train Strong Classifiers with Localizable Features, ICCV 2019,
 *   https://arxiv.org/abs/1905.04899
 */
export default definePlugin({
  name,
  options,
  provides: ['mix'],
  conflicts: ({ alpha, probability }) =>
    alpha === 0 || probability === 0 ? { relabel: 'nothing is pasted, and no label changes.' } : {},
  variants: () => ({ mix: ['input:box'] }),
  apply({ hooks, random, info: { imageShape } }, options) {
    hooks.onBatch.tap({ name, stage: Order.Mix }, (batch, { epoch, step }) => ({
      ...batch,
      ...cutmixBatch(batch, imageShape, options, random(epoch, step)),
    }));
  },
});
