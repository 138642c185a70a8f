import { type Batch, definePlugin, inverseFrequencyWeights, Order, type Random, z } from 'tailmix';
import { keptShare, randomBox } from 'tailmix/plugins/cutmix';
import { mixupLambda } from 'tailmix/plugins/mixup';

const name = 'cmo';

const options = z.strictObject({
  gamma: z
    .number()
    .min(0)
    .default(1)
    .describe('An image of a class with n images is drawn as patch in proportion to n^−gamma; 1: classes alike.'),
  alpha: z
    .number()
    .min(0)
    .default(1)
    .describe('λ, from which the patch has its size, is drawn from Beta(alpha, alpha); 0 pastes nothing.'),
  probability: z.number().min(0).max(1).default(0.5).describe('Share of the batches that are mixed.'),
  skipFirst: z.int().min(0).default(4).describe('Epochs at the beginning in which nothing is mixed.'),
  skipLast: z.int().min(0).default(3).describe('Epochs at the end in which nothing is mixed.'),
});

type Options = z.output<typeof options>;

/** Whether anything is mixed in an epoch of a run of `epochs`; epochs count from 1. */
export const mixesIn = (epoch: number, epochs: number, { skipFirst, skipLast }: Options): boolean =>
  epoch > skipFirst && epoch <= epochs - skipLast;

/**
 * Partners, patch and weights of a batch: image i keeps its background and gets the patch of row `start + i`.
 *
 * @param size - B
 * @param start - first row of the second draw in the pool
 * @param imageShape - `[height, width, …]`
 * @returns what changes in the batch: nothing when the coin says so; else `pair` `[B]`, `lambda` `[B]`, one `box` for all
 */
export function cmoBatch(
  size: number,
  start: number,
  [height, width]: readonly [height: number, width: number, ...rest: number[]],
  { alpha, probability }: Options,
  random: Random,
): Partial<Pick<Batch, 'pair' | 'lambda' | 'box'>> {
  if (random.uniform() >= probability) return {};
  const pair = Int32Array.from({ length: size }, (_, i) => start + i);
  const box = randomBox(height, width, mixupLambda(alpha, random), random);
  return { pair, box, lambda: new Float32Array(size).fill(keptShare(box, height, width)) };
}

/**
 * CMO: pastes patches of rare classes onto backgrounds of frequent ones, as CutMix does with patches from a second draw
 * that favours rare classes.
 *
 * @example
 * ```ts
 * createTrainer({
 *   data: { name: 'digits' },
 *   model: { name: 'mlp' },
 *   plugins: [cmo({ probability: 0.5, skipFirst: 0, skipLast: 0 })],
 * });
 * ```
 * @example
 * ```yaml
 * plugins:
 *   - use: cmo
 *     probability: 0.5
 *     skipFirst: 0
 *     skipLast: 0
 * ```
 * @see Park et al., The Majority Can Help the Minority: Context-rich Minority Oversampling for Long-tailed
 *   Classification, CVPR 2022, https://arxiv.org/abs/2112.00412
 */
export default definePlugin({
  name,
  options,
  provides: ['mix'],
  conflicts: ({ alpha, probability }) =>
    alpha === 0 || probability === 0 ? { relabel: 'nothing is pasted, and no label changes.' } : {},
  variants: () => ({ mix: ['input:box'] }),
  rows: ({ gamma }, { classCounts }) => {
    const weights = inverseFrequencyWeights(classCounts, gamma);
    return { rare: { weights: () => weights } };
  },
  apply({ hooks, random, info: { imageShape, epochs }, warn }, options) {
    if (options.skipFirst + options.skipLast >= epochs) {
      warn(
        'NO_EFFECT',
        `the run has ${epochs} epochs, and skipFirst ${options.skipFirst} and skipLast ${options.skipLast} leave none to mix in.`,
      );
    }
    hooks.onBatch.tap({ name, stage: Order.Mix }, (batch, { epoch, step }) => {
      if (!mixesIn(epoch, epochs, options)) return batch;
      const { start } = batch.groups[`${name}/rare`]!;
      return { ...batch, ...cmoBatch(batch.size, start, imageShape, options, random(epoch, step)) };
    });
  },
});
