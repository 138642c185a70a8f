import { definePlugin, epochOption, imageWeights, Order, resolveEpoch, samplingRules, z } from 'tailmix';

const name = 'drs';

const options = z.strictObject({
  deferUntil: epochOption()
    .default(160)
    .describe('Epochs of plain sampling, or a fraction of the run; 160 re-samples from epoch 161 on.'),
  weights: z
    .enum(samplingRules)
    .exclude(['progressive'])
    .default('effective-number')
    .describe('Draw an image of a class with n images in proportion to 1 / effective number, 1/n, 1/√n or 1/n².'),
  beta: z.number().min(0).lt(1).default(0.9999).describe('β of the effective number.'),
});

/**
 * Deferred re-sampling: each image once per epoch up to `deferUntil`; afterwards images are drawn with replacement,
 * those of rare classes more often.
 *
 * @example
 * ```ts
 * createTrainer({ data: { name: 'digits' }, model: { name: 'mlp' }, plugins: [drs({ deferUntil: 0.8 })] });
 * ```
 * @example
 * ```yaml
 * plugins:
 *   - use: drs
 *     deferUntil: 0.8
 * ```
 * @see Cao et al., Learning Imbalanced Datasets with Label-Distribution-Aware Margin Loss, NeurIPS 2019,
 *   https://arxiv.org/abs/1906.07413, section 3.3
 */
export default definePlugin({
  name,
  options,
  provides: ['sampler'],
  corrects: () => 'class prior',
  apply({ hooks, info: { classCounts, epochs }, warn }, { deferUntil, ...rule }) {
    const deferred = resolveEpoch(deferUntil, epochs);
    if (deferred >= epochs) {
      warn('NO_EFFECT', `deferUntil ${deferUntil} is not before the last epoch, ${epochs}: nothing is re-sampled.`);
    }
    const resampled = imageWeights(classCounts, rule);
    hooks.computeSamplingWeights.tap({ name, stage: Order.Sample }, (plain, { epoch }) =>
      epoch > deferred ? resampled : plain,
    );
  },
});
