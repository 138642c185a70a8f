import { type Batch, definePlugin, Order, type Random, z } from 'tailmix';
import { mixupLambda } from '../mixup/index.ts';
import { keptShare, randomBox } from './box.ts';

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
 * Partners, patch and weights of a batch: each image gets the patch of its partner at the same place, and λ is exactly
 * the share that it keeps. The coin for `probability` is drawn first, the partners next.
 *
 * @param size - B
 * @param imageShape - `[height, width, …]`
 * @returns what changes in the batch: nothing when the coin says so; else `pair` `[B]`, `lambda` `[B]`, one `box` for all
 */
export function cutmixBatch(
  size: number,
  [height, width]: readonly [height: number, width: number, ...rest: number[]],
  { alpha, probability }: z.output<typeof options>,
  random: Random,
): Partial<Pick<Batch, 'pair' | 'lambda' | 'box'>> {
  if (random.uniform() >= probability) return {};
  const pair = random.permutation(size);
  const box = randomBox(height, width, mixupLambda(alpha, random), random);
  return { pair, box, lambda: new Float32Array(size).fill(keptShare(box, height, width)) };
}

/**
 * CutMix: pastes a patch of another image of the batch, and weighs the labels by the pixels that each has.
 *
 * @see Yun et al., CutMix: Regularization Strategy to Train Strong Classifiers with Localizable Features, ICCV 2019,
 *   https://arxiv.org/abs/1905.04899
 */
export default definePlugin({
  name,
  options,
  provides: ['mix'],
  variants: () => ({ mix: ['input:box'] }),
  apply({ hooks, random, info: { imageShape } }, options) {
    hooks.onBatch.tap({ name, stage: Order.Mix }, (batch, { epoch, step }) => ({
      ...batch,
      ...cutmixBatch(batch.size, imageShape, options, random(epoch, step)),
    }));
  },
});
