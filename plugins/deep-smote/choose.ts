import { type Batch, type Random, sharesOf } from 'tailmix';

type Rows = Pick<Batch, 'size' | 'labels'>;

/**
 * Another row of the same class for each row, of its own replica and counted from its first row: rows of a class are shuffled, and each
 * takes the next. Alone in its class, a row has itself. Each class of a replica has the same share, which sum to 1 there.
 *
 * @returns `order` and `shares`, `[B]`
 */
export function withinClasses(
  { size, labels }: Rows,
  replicas: number,
  random: Random,
): { order: Int32Array; shares: Float32Array } {
  const [order, shares] = [new Int32Array(size), new Float32Array(size)];
  for (const { start, size: rows } of sharesOf({ size, replicas })) {
    const byClass = new Map<number, number[]>();
    for (const row of random.permutation(rows)) {
      const label = labels[start + row]!;
      byClass.set(label, [...(byClass.get(label) ?? []), row]);
    }
    for (const members of byClass.values()) {
      for (const [i, row] of members.entries()) {
        order[start + row] = members[(i + 1) % members.length]!;
        shares[start + row] = 1 / (members.length * byClass.size);
      }
    }
  }
  return { order, shares };
}

/** `[B]`, 1 for rows that are to be synthetic: of a class with n images the share 1 − n/n_max, as if all classes had n_max. */
export function toSynthesise({ size, labels }: Rows, classCounts: readonly number[], random: Random): Float32Array {
  const largest = Math.max(...classCounts);
  return Float32Array.from({ length: size }, (_, i) =>
    random.uniform() < 1 - classCounts[labels[i]!]! / largest ? 1 : 0,
  );
}
