import { definePlugin, effectiveNumberWeights, inverseFrequencyWeights, Stage, z } from 'tailmix';

const name = 'resample';

const options = z.strictObject({
  weights: z
    .enum(['effective-number', 'class-uniform', 'square-root'])
    .default('effective-number')
    .describe('An image of a class with n images is drawn in proportion to 1 / effective number, 1/n or 1/√n.'),
  beta: z.number().min(0).lt(1).default(0.9999).describe('β of the effective number.'),
});

/**
 * Weight of one image of each class for drawing with replacement; only their proportions matter.
 *
 * @param classCounts - `[C]`
 * @returns `[C]`
 */
export function imageWeights(
  classCounts: readonly number[],
  { weights, beta }: z.output<typeof options>,
): Float64Array {
  if (weights === 'effective-number') return effectiveNumberWeights(classCounts, beta);
  return inverseFrequencyWeights(classCounts, weights === 'class-uniform' ? 1 : 0.5);
}

/** Share of each class among the images drawn by `weights`, `[C]`, summing to 1. */
export function classShares(classCounts: readonly number[], weights: Float64Array): Float64Array {
  const mass = weights.map((weight, c) => weight * classCounts[c]!);
  const sum = mass.reduce((a, b) => a + b, 0);
  return mass.map((m) => m / sum);
}

/**
 * Re-sampling: draws the images of an epoch with replacement, rare classes more often. An epoch keeps its length.
 *
 * @see Cao et al., Learning Imbalanced Datasets with Label-Distribution-Aware Margin Loss, NeurIPS 2019,
 *   https://arxiv.org/abs/1906.07413 (effective number);
 *   Zhang et al., Bag of Tricks for Long-Tailed Visual Recognition, AAAI 2021 (class-uniform, square root)
 */
export default definePlugin({
  name,
  options,
  provides: ['sampler'],
  apply({ hooks, info: { classCounts } }, options) {
    const weights = imageWeights(classCounts, options);
    hooks.computeSamplingWeights.tap({ name, stage: Stage.Sample }, () => weights);
  },
});
