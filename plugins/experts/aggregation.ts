/** The authors' optimizer: SGD with Nesterov's momentum, as in the configs of their code. */
const RATE = 0.1;
const MOMENTUM = 0.9;
const DECAY = 5e-4;
export const EPOCHS = 5;
export const BATCH = 128;

/** An expert whose share is smaller ends it. */
export const LEAST = 0.05;

/** Of K experts the logits of N images, `[N × C]` each. */
export type ExpertLogits = readonly Float32Array[];

/** What a batch's predictions come to in stability. */
interface Stability {
  /** Mean cosine, in 0…1. */
  value: number;
  /** Its slope for each expert's share, `[K]`. */
  slopes: Float64Array;
}

const dot = (a: Float64Array, b: Float64Array): number => a.reduce((sum, one, i) => sum + one * b[i]!, 0);

/** Numbers that add to 1. */
export function softmax(values: Float64Array): Float64Array {
  const largest = values.reduce((a, b) => Math.max(a, b));
  const powers = values.map((value) => Math.exp(value - largest));
  const sum = powers.reduce((a, b) => a + b, 0);
  return powers.map((power) => power / sum);
}

/** Probabilities of an image by all experts together, `[C]`. */
function probabilities(experts: ExpertLogits, shares: Float64Array, start: number, classes: number): Float64Array {
  const mixed = new Float64Array(classes);
  for (const [k, logits] of experts.entries())
    for (let c = 0; c < classes; c++) mixed[c] = mixed[c]! + shares[k]! * logits[start + c]!;
  return softmax(mixed);
}

/**
 * Prediction stability (Zhang et al. 2022, section 4.2, eq. 4): the mean cosine of the probabilities that two views of an image have.
 *
 * @param views - of both views the logits of the experts
 * @param shares - `[K]`, that add to 1
 * @param rows - images of the batch
 * @param classes - C
 */
export function stability(
  views: readonly [ExpertLogits, ExpertLogits],
  shares: Float64Array,
  rows: Int32Array,
  classes: number,
): Stability {
  const slopes = new Float64Array(shares.length);
  let value = 0;
  for (const row of rows) {
    const start = row * classes;
    const [p, q] = [
      probabilities(views[0], shares, start, classes),
      probabilities(views[1], shares, start, classes),
    ] as const;
    const [pp, qq] = [dot(p, p), dot(q, q)];
    const lengths = Math.sqrt(pp * qq);
    const cosine = dot(p, q) / lengths;
    value += cosine;
    for (const [experts, own, other, square] of [
      [views[0], p, q, pp],
      [views[1], q, p, qq],
    ] as const) {
      // Of the cosine for the probabilities, then for the logits that they are the softmax of.
      const slope = own.map((one, c) => other[c]! / lengths - (cosine * one) / square);
      const mean = dot(own, slope);
      for (const [k, logits] of experts.entries())
        for (let c = 0; c < classes; c++) slopes[k] = slopes[k]! + own[c]! * (slope[c]! - mean) * logits[start + c]!;
    }
  }
  return { value: value / rows.length, slopes: slopes.map((slope) => slope / rows.length) };
}

/** An epoch of the aggregation. */
export interface Round {
  views: readonly [ExpertLogits, ExpertLogits];
  /** The images, batch after batch. */
  order: Int32Array;
}

/**
 * Shares of experts by which predictions are most stable between two views of images without labels (Zhang et al. 2022, section 4.2):
 * the softmax of K numbers that begin as 1/K, by stochastic gradient ascent, until an epoch ends with a share that is small.
 *
 * @param rounds - epochs, of which no more are asked for then
 * @param count - K
 * @param classes - C
 * @param batch - images of a batch
 * @returns shares `[K]` after the last epoch, and how many epochs there were
 */
export async function aggregate(
  rounds: AsyncIterable<Round> | Iterable<Round>,
  count: number,
  classes: number,
  batch: number = BATCH,
): Promise<{ shares: Float64Array; epochs: number }> {
  const weights = new Float64Array(count).fill(1 / count);
  const velocity = new Float64Array(count);
  let epochs = 0;
  for await (const { views, order } of rounds) {
    for (let from = 0; from < order.length; from += batch) {
      const shares = softmax(weights);
      const { slopes } = stability(views, shares, order.subarray(from, from + batch), classes);
      const mean = dot(shares, slopes);
      for (let k = 0; k < count; k++) {
        const gradient = DECAY * weights[k]! - shares[k]! * (slopes[k]! - mean);
        velocity[k] = MOMENTUM * velocity[k]! + gradient;
        weights[k] = weights[k]! - RATE * (gradient + MOMENTUM * velocity[k]!);
      }
    }
    epochs++;
    if (softmax(weights).some((share) => share < LEAST)) break;
  }
  return { shares: softmax(weights), epochs };
}

/** Logits of the experts, mixed by their shares: `[rows × C]`. */
export const mixedBy = (experts: ExpertLogits, shares: Float64Array): Float32Array =>
  experts[0]!.map((_, i) => experts.reduce((sum, logits, k) => sum + shares[k]! * logits[i]!, 0));
