import { tf } from '../tf.ts';
import { ringPart } from '../util/ring-part.ts';

/** Floats that are summed at a time, 8 MiB: above 4 MiB a part, TensorFlow's ring cuts parts once more. */
export const BUCKET = 2 ** 21;

/** Part of a tensor, of those that are laid end to end: its elements from `start` on. */
interface Piece {
  tensor: number;
  start: number;
  size: number;
}

/** Tensors laid end to end and cut into buckets of {@link BUCKET} floats: the pieces of each. Empty tensors have none. */
export function bucketsOf(sizes: readonly number[]): Piece[][] {
  const buckets: Piece[][] = [];
  let room = 0;
  for (const [tensor, length] of sizes.entries()) {
    for (let start = 0; start < length; ) {
      if (room === 0) {
        buckets.push([]);
        room = BUCKET;
      }
      const size = Math.min(room, length - start);
      buckets.at(-1)!.push({ tensor, start, size });
      room -= size;
      start += size;
    }
  }
  return buckets;
}

/**
 * The sum of vectors in the order of a ring.
 *
 * @param vectors - `[n]`, one a rank
 */
export function sumInRing(vectors: readonly tf.Tensor[]): tf.Tensor {
  const parts = ringParts(vectors[0]!.size, vectors.length);
  const cut = vectors.map((values) =>
    tf.split(
      values,
      parts.map(({ length }) => length),
    ),
  );
  const sums = parts.map(({ order }, part) =>
    order.map((rank) => cut[rank]![part]!).reduce((sum, values) => sum.add(values)),
  );
  return tf.concat(sums, 0);
}

/**
 * How a ring all-reduce of R ranks cuts a buffer, and in which order it adds the ranks' values in each part: part c of a
 * bucket begins with rank c and goes on around the ring (TensorFlow 2.21, `ring_reducer.cc`).
 *
 * @param length - floats
 * @returns parts in order, none empty
 */
export function ringParts(length: number, ranks: number): { length: number; order: number[] }[] {
  const parts: { length: number; order: number[] }[] = [];
  for (let start = 0; start < length; start += BUCKET) {
    const bucket = Math.min(BUCKET, length - start);
    const part = ringPart(bucket, ranks);
    for (let rank = 0; rank * part < bucket; rank++) {
      const order = Array.from({ length: ranks }, (_, i) => (rank + i) % ranks);
      parts.push({ length: Math.min(part, bucket - rank * part), order });
    }
  }
  return parts;
}
