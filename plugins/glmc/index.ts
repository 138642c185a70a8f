import { boxMask, definePlugin, inverseFrequencyWeights, Order, z } from 'tailmix';
import { branchWeight } from 'tailmix/plugins/bbn';
import { randomBox } from 'tailmix/plugins/cutmix';
import { mixupLambda } from 'tailmix/plugins/mixup';
import { cumulative } from './loss.ts';
import { ALPHA, MASK, NAME as name, PARTNER, PATCH, SECOND, withTwoMixtures } from './mixtures.ts';

export { negativeCosine } from './loss.ts';

const options = z.strictObject({
  alpha: z.number().positive().default(1).describe('λ of both mixtures is drawn from Beta(alpha, alpha).'),
  draw: z
    .number()
    .min(0)
    .default(0.2)
    .describe('Partners are drawn with 1/n^draw for an image of a class with n images; 0 draws all images alike.'),
  reweight: z
    .number()
    .min(0)
    .default(1.2)
    .describe('Labels of the re-balanced classifier weigh 1/n^reweight, scaled to the mean 1.'),
  weight: z.number().min(0).default(10).describe('What the consistency of the two mixtures counts.'),
  dimension: z.int().positive().default(128).describe('Length of the projections that are compared.'),
});

/**
 * Global and local mixture consistency: each image is mixed with a partner, and in a second view has a patch of it. Both
 * are pulled together, and train a conventional classifier first, a re-balanced one later, which predicts.
 *
 * @example
 * ```ts
 * createTrainer({ data: { name: 'digits' }, model: { name: 'small-cnn' }, plugins: [glmc({ weight: 4 })] });
 * ```
 * @example
 * ```yaml
 * model: { name: small-cnn }
 * plugins:
 *   - use: glmc
 *     weight: 4
 * ```
 * @see Du et al., Global and Local Mixture Consistency Cumulative Learning for Long-tailed Visual Recognitions, CVPR 2023,
 *   https://arxiv.org/abs/2305.08661, section 3
 */
export default definePlugin({
  name,
  options,
  provides: ['mix', 'head', 'branches'],
  corrects: ({ reweight }) => (reweight > 0 ? 'class prior' : null),
  inputs: (_, { imageShape: [height, width] }) => ({
    [ALPHA]: { shape: [], dtype: 'float32' },
    [MASK]: { shape: [1, height, width, 1], dtype: 'float32' },
  }),
  variants: () => ({ mix: ['input'] }),
  rows: ({ draw }, { classCounts }) => {
    const weights = inverseFrequencyWeights(classCounts, draw);
    return {
      [SECOND]: { view: true },
      [PARTNER]: { weights: () => weights },
      [PATCH]: { view: true, of: PARTNER },
    };
  },
  extendModel: (model, { dimension }) => withTwoMixtures(model, dimension),
  apply({ hooks, random, info: { classCounts, epochs, imageShape }, warn }, { alpha, reweight, weight }) {
    if (weight === 0) warn('NO_EFFECT', 'weight is 0: the two mixtures are not compared.');
    hooks.onBatch.tap({ name, stage: Order.Mix }, (batch, { epoch, step }) => {
      const { size } = batch;
      const { start } = batch.groups[`${name}/${PARTNER}`]!;
      const stream = random(epoch, step);
      const lambda = mixupLambda(alpha, stream);
      const box = randomBox(imageShape[0], imageShape[1], lambda, stream);
      return {
        ...batch,
        pair: Int32Array.from({ length: size }, (_, i) => start + i),
        lambda: new Float32Array(size).fill(lambda),
        inputs: {
          ...batch.inputs,
          [`${name}/${ALPHA}`]: Float32Array.of(branchWeight(epoch, epochs, { schedule: 'parabolic' })),
          [`${name}/${MASK}`]: boxMask({ box }, imageShape),
        },
      };
    });
    const classWeights = inverseFrequencyWeights(classCounts, reweight);
    hooks.buildLoss.tap(name, (loss) => cumulative(loss, classWeights, weight));
  },
});
