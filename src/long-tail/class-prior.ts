/**
 * Logarithm of each class's share of the training images, `log(n_c / N)`. A class without images counts as one of a
 * single image, so that the result is finite.
 *
 * @param classCounts - `[C]`
 * @returns `[C]`, natural logarithms
 */
export function logPrior(classCounts: readonly number[]): Float64Array {
  const sum = classCounts.reduce((a, b) => a + b, 0);
  return Float64Array.from(classCounts, (n) => Math.log(Math.max(n, 1) / sum));
}
