import { concatenate } from '../util/concatenate.ts';
import { openNetwork } from './network.ts';
import type { TrainedRun } from './open.ts';

/** Images of one call of the network. */
export const BATCH = 64;

/**
 * Logits of images, computed op by op in float32, the reference that every export is compared with.
 *
 * @param images - `[height × width × channels]` uint8 each, as the run's data set gives them.
 * @returns `[C]` for each image.
 */
export function predictLogits(run: TrainedRun, images: readonly Uint8Array[]): Float32Array[] {
  const network = openNetwork(run);
  try {
    return Array.from({ length: Math.ceil(images.length / BATCH) }, (_, batch) => {
      const rows = images.slice(batch * BATCH, (batch + 1) * BATCH);
      const { logits } = network.run(concatenate(Uint8Array, rows), rows.length);
      return rowsOf(logits, rows.length);
    }).flat();
  } finally {
    network.dispose();
  }
}

/** `[count × n]` as `count` arrays. */
export function rowsOf(values: Float32Array, count: number): Float32Array[] {
  const length = values.length / count;
  return Array.from({ length: count }, (_, row) => values.slice(row * length, (row + 1) * length));
}

/** `[C]` logits as probabilities, in double precision. */
export function softmax(logits: Float32Array): Float64Array {
  const largest = logits.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
  const exponentials = Float64Array.from(logits, (logit) => Math.exp(logit - largest));
  const sum = exponentials.reduce((a, b) => a + b, 0);
  return exponentials.map((value) => value / sum);
}

/** A class and how likely it is. */
export interface Guess {
  class: string;
  /** Label: position in the list of classes. */
  label: number;
  probability: number;
}

/** The `k` likeliest classes, the likeliest first; equal ones in label order. */
export function topClasses(probabilities: Float64Array, classes: readonly string[], k: number): Guess[] {
  return [...probabilities]
    .map((probability, label) => ({ class: classes[label]!, label, probability }))
    .sort((a, b) => b.probability - a.probability || a.label - b.label)
    .slice(0, k);
}
