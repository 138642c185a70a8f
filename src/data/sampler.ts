import type { Random } from '../random.ts';
import { badSamplingWeight, noSamplingWeight, samplingWeightCount } from './errors.ts';
import type { StepRows, Subset } from './types.ts';

/**
 * The rows of one epoch, in order of use.
 *
 * @param weights - `[n]`, one per row of the subset, any positive scale: n draws with replacement, the chance of each
 *   row in proportion to its weight; null: every row once, shuffled
 * @param random - stream of the epoch
 * @param count - rows to draw; default: n
 * @returns `[count]`, rows of the split
 * @throws {TailmixError} SAMPLING_WEIGHTS when weights are not n finite numbers ≥ 0 with a positive sum
 */
export function epochIndices(
  { indices }: Pick<Subset, 'indices'>,
  weights: Float64Array | null,
  random: Random,
  count = indices.length,
): Int32Array {
  if (weights === null) return random.permutation(indices.length).map((i) => indices[i]!);
  if (weights.length !== indices.length) throw samplingWeightCount(indices.length, weights.length);
  const upTo = new Float64Array(weights.length);
  let sum = 0;
  for (let i = 0; i < weights.length; i++) {
    const weight = weights[i]!;
    if (!(weight >= 0 && weight < Number.POSITIVE_INFINITY)) throw badSamplingWeight(i, weight);
    sum += weight;
    upTo[i] = sum;
  }
  if (!(sum > 0 && sum < Number.POSITIVE_INFINITY)) throw noSamplingWeight(sum);
  return Int32Array.from({ length: count }, () => indices[firstAbove(upTo, random.uniform() * sum)]!);
}

/** First i with `upTo[i] > value`, for a non-decreasing list; never one of zero weight. */
function firstAbove(upTo: Float64Array, value: number): number {
  let low = 0;
  let high = upTo.length - 1;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (upTo[middle]! > value) high = middle;
    else low = middle + 1;
  }
  return low;
}

/**
 * Splits an epoch into steps.
 *
 * @param dropLast - leave out a last step that is not full; default: it is kept, smaller
 */
export function splitSteps(indices: Int32Array, batchSize: number, { dropLast = false } = {}): StepRows[] {
  const steps: StepRows[] = [];
  for (let start = 0; start < indices.length; start += batchSize) {
    const end = Math.min(start + batchSize, indices.length);
    if (dropLast && end - start < batchSize) break;
    const positions = Int32Array.from({ length: end - start }, (_, i) => start + i);
    steps.push({ indices: indices.subarray(start, end), positions });
  }
  return steps;
}
