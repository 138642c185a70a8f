import { createHash } from 'node:crypto';
import { endianness } from 'node:os';
import { mersenne } from 'pure-rand/generator/mersenne';
import type { RandomGenerator } from 'pure-rand/types/RandomGenerator';
import { concatenate } from '../util/concatenate.ts';
import type { DatasetImages, Split, Subset } from './types.ts';

/** How often each class occurs, `[C]`. */
export function countLabels(labels: Iterable<number>, classCount: number): number[] {
  const counts = new Array<number>(classCount).fill(0);
  for (const label of labels) counts[label]!++;
  return counts;
}

/** Rows of each class, in the order of the split: `[C]` lists. */
export function rowsByClass(labels: Int32Array, classCount: number): Int32Array[] {
  const rows = countLabels(labels, classCount).map((n) => new Int32Array(n));
  const filled = new Int32Array(classCount);
  for (let row = 0; row < labels.length; row++) {
    const label = labels[row]!;
    rows[label]![filled[label]!++] = row;
  }
  return rows;
}

/** NumPy's legacy generator after `numpy.random.seed(seed)`: MT19937 with Knuth's initialiser. */
export const numpyGenerator = (seed: number): RandomGenerator => mersenne(seed);

/**
 * `numpy.random.shuffle` of the legacy generator, in place: Fisher-Yates from the end, each index drawn by masking
 * 32 bits to the next power of two and rejecting what is too large.
 */
export function numpyShuffle(values: Int32Array, generator: RandomGenerator): void {
  for (let i = values.length - 1; i > 0; i--) {
    const mask = 0xffffffff >>> Math.clz32(i);
    let j: number;
    do j = generator.next() & mask;
    while (j > i);
    const last = values[i]!;
    values[i] = values[j]!;
    values[j] = last;
  }
}

/**
 * The images of a long-tailed set, as Cao et al. (2019) draw them: `numpy.random.seed(seed)`, then for each class in
 * turn its rows are shuffled and the first `counts[c]` kept. A class that keeps all is shuffled too.
 *
 * @param rows - rows of each class, `[C]` lists in the order of the data set
 * @returns rows in class order
 */
export function drawRows(rows: readonly Int32Array[], counts: readonly number[], seed: number): Int32Array {
  const generator = numpyGenerator(seed);
  const kept = rows.map((own, c) => {
    const shuffled = own.slice();
    numpyShuffle(shuffled, generator);
    return shuffled.subarray(0, counts[c]);
  });
  return concatenate(Int32Array, kept);
}

/** SHA-256 over rows as little-endian int32, hex. */
export function hashRows(rows: Int32Array): string {
  const bytes = Buffer.from(rows.buffer, rows.byteOffset, rows.byteLength);
  return createHash('sha256')
    .update(endianness() === 'LE' ? bytes : Buffer.from(bytes).swap32())
    .digest('hex');
}

/** The splits that a data set has of its own: train, validation, test. */
export const splitsOf = ({ train, validation, test }: DatasetImages): Split[] => [
  train,
  ...(validation ? [validation] : []),
  ...(test ? [test] : []),
];

/** All of a split, in class order. */
export const wholeOf = (split: Split, classCount: number): Subset =>
  subsetOf(split, concatenate(Int32Array, rowsByClass(split.labels, classCount)), classCount);

/** Makes a subset of rows of a split. */
export function subsetOf(split: Split, indices: Int32Array, classCount: number): Subset {
  const classCounts = new Int32Array(classCount);
  for (const row of indices) classCounts[split.labels[row]!]!++;
  return { split, indices, hash: hashRows(indices), classCounts };
}
