import { classShares, definePlugin, imageWeights, Order, samplingRules, z } from 'tailmix';

const name = 'resample';

const options = z.strictObject({
  weights: z
    .enum(samplingRules)
    .default('effective-number')
    .describe(
      'Draw an image of a class with n images in proportion to 1 / effective number, 1/n, 1/√n or 1/n²; or go from all images alike to 1/n over the run.',
    ),
  beta: z.number().min(0).lt(1).default(0.9999).describe('β of the effective number.'),
});

export { classShares, imageWeights };

/**
 * Re-sampling: draws the images of an epoch with replacement, those of rare classes more often. An epoch keeps its
 * length.
 *
 * @example
 * ```ts
 * createTrainer({
 *   data: { name: 'digits' },
 *   model: { name: 'mlp' },
 *   plugins: [resample({ weights: 'class-uniform' })],
 * });
 * ```
 * @example
 * ```yaml
 * plugins:
 *   - use: resample
 *     weights: class-uniform
 * ```
 * @see Cao et al., Learning Imbalanced Datasets with Label-Distribution-Aware Margin Loss, NeurIPS 2019,
 *   https://arxiv.org/abs/1906.07413 (effective number); Kang et al., Decoupling Representation and Classifier, ICLR
 *   2020, https://arxiv.org/abs/1910.09217 (class-uniform, square root, progressive); Zhou et al., BBN, CVPR 2020,
 *   https://arxiv.org/abs/1912.02413 (reverse)
 */
export default definePlugin({
  name,
  options,
  provides: ['sampler'],
  corrects: () => 'class prior',
  apply({ hooks, info: { classCounts, epochs } }, options) {
    hooks.computeSamplingWeights.tap({ name, stage: Order.Sample }, (_, { epoch }) =>
      imageWeights(classCounts, options, Math.min(epoch / epochs, 1)),
    );
  },
});
