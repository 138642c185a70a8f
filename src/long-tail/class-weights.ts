/**
 * Weight of each class by the effective number of its images, `(1 − β) / (1 − β^n)`, scaled to sum to C.
 * β = 0 gives equal weights, β → 1 inverse frequency. A class without images weighs 0.
 *
 * @param classCounts - `[C]`
 * @param beta - 0 ≤ β < 1
 * @returns `[C]`
 * @see Cui et al., Class-Balanced Loss Based on Effective Number of Samples, CVPR 2019, eq. 4;
 *   scaled as in Cao et al., LDAM, NeurIPS 2019
 */
export function effectiveNumberWeights(classCounts: readonly number[], beta: number): Float64Array {
  // expm1 keeps the digits that 1 − β^n loses for β close to 1.
  return sumToClassCount(classCounts, (n) => (1 - beta) / -Math.expm1(n * Math.log(beta)));
}

/**
 * Weight of each class by its inverse frequency, `n^−γ`, scaled to sum to C. γ = 0 gives equal weights, γ = 0.5 the
 * square-root form. A class without images weighs 0.
 *
 * @param classCounts - `[C]`
 * @param gamma - power, 1 for the plain inverse
 * @returns `[C]`
 */
export function inverseFrequencyWeights(classCounts: readonly number[], gamma = 1): Float64Array {
  return sumToClassCount(classCounts, (n) => n ** -gamma);
}

function sumToClassCount(classCounts: readonly number[], weightOf: (n: number) => number): Float64Array {
  const weights = Float64Array.from(classCounts, (n) => (n > 0 ? weightOf(n) : 0));
  const sum = weights.reduce((a, b) => a + b, 0);
  return sum > 0 ? weights.map((weight) => (weight * weights.length) / sum) : weights;
}
