/** Inverse temperatures that are looked at. */
const [LOWEST, HIGHEST] = [1e-3, 1e3];

/**
 * The temperature T > 0 at which `softmax(z / T)` has the lowest mean cross-entropy (Guo et al. 2017, section 4.2). In 1/T
 * that is convex: Newton's method, with bisection where a step leaves the bracket. Where none is best, because every
 * image is classified rightly, one so low that the cross-entropy is 0; at most 1e3 where all are wrong.
 *
 * @param logits - `[N × C]`
 * @param labels - `[N]`
 */
export function fitTemperature(logits: Float32Array, labels: Int32Array): number {
  const C = logits.length / labels.length;
  let [low, high] = [LOWEST, HIGHEST];
  let beta = 1;
  for (let round = 0; round < 100; round++) {
    const { slope, curvature } = derivatives(logits, labels, C, beta);
    if (slope === 0) break;
    if (slope > 0) high = beta;
    else low = beta;
    const step = beta - slope / curvature;
    const next = step > low && step < high ? step : Math.sqrt(low * high);
    if (Math.abs(next - beta) <= 1e-9 * beta || high / low < 1 + 1e-9) break;
    beta = next;
  }
  return 1 / beta;
}

/** First and second derivative of the mean cross-entropy of `softmax(β·z)` with respect to β. */
function derivatives(logits: Float32Array, labels: Int32Array, C: number, beta: number) {
  let slope = 0;
  let curvature = 0;
  for (let i = 0; i < labels.length; i++) {
    const row = logits.subarray(i * C, (i + 1) * C);
    const own = row[labels[i]!]!;
    let largest = -Infinity;
    for (const z of row) largest = Math.max(largest, z);
    let sum = 0;
    let first = 0;
    let second = 0;
    for (const z of row) {
      const weight = Math.exp(beta * (z - largest));
      const distance = z - own;
      sum += weight;
      first += weight * distance;
      second += weight * distance * distance;
    }
    const mean = first / sum;
    slope += mean;
    curvature += second / sum - mean * mean;
  }
  return { slope: slope / labels.length, curvature: curvature / labels.length };
}
