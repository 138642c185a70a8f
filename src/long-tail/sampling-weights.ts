import { effectiveNumberWeights, inverseFrequencyWeights } from './class-weights.ts';

/** Ways to draw images by the size of their class. */
export const samplingRules = ['effective-number', 'class-uniform', 'square-root', 'reverse', 'progressive'] as const;
export type SamplingRule = (typeof samplingRules)[number];

/**
 * Weight of one image of each class for drawing with replacement; only their proportions matter. A class without
 * images weighs 0.
 *
 * - `effective-number`: (1 − β) / (1 − β^n), classes nearly uniform (Cao et al. 2019)
 * - `class-uniform`: 1/n, every class as often
 * - `square-root`: 1/√n, classes in proportion to √n
 * - `reverse`: 1/n², classes in proportion to 1/n (Zhou et al. 2020, BBN)
 * - `progressive`: from instance-balanced to class-uniform: a class's share is (1 − t)·n/N + t/C (Kang et al. 2020)
 *
 * @param classCounts - `[C]`
 * @param rule - `beta` is that of the effective number
 * @param progress - t in 0…1, the share of the run that is done; `progressive` alone depends on it
 * @returns `[C]`
 */
export function imageWeights(
  classCounts: readonly number[],
  { weights, beta }: { weights: SamplingRule; beta: number },
  progress = 1,
): Float64Array {
  switch (weights) {
    case 'effective-number':
      return effectiveNumberWeights(classCounts, beta);
    case 'class-uniform':
      return inverseFrequencyWeights(classCounts, 1);
    case 'square-root':
      return inverseFrequencyWeights(classCounts, 0.5);
    case 'reverse':
      return inverseFrequencyWeights(classCounts, 2);
    case 'progressive':
      return progressiveWeights(classCounts, progress);
  }
}

function progressiveWeights(classCounts: readonly number[], progress: number): Float64Array {
  const sum = classCounts.reduce((a, b) => a + b, 0);
  const classes = classCounts.filter((n) => n > 0).length;
  return Float64Array.from(classCounts, (n) => (n > 0 ? (1 - progress) / sum + progress / (classes * n) : 0));
}

/** Share of each class among the images drawn by `weights`, `[C]`, summing to 1. */
export function classShares(classCounts: readonly number[], weights: Float64Array): Float64Array {
  const mass = weights.map((weight, c) => weight * classCounts[c]!);
  const sum = mass.reduce((a, b) => a + b, 0);
  return mass.map((m) => m / sum);
}
