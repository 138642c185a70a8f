import { fitLongTail } from '../data/profile.ts';
import { drawRows, rowsByClass, subsetOf } from '../data/subset.ts';
import type { Subset } from '../data/types.ts';
import { byTrainingCount, type Shift } from '../metrics/shift.ts';
import { shiftEmpty } from './errors.ts';

/**
 * Images of a subset in the proportions of a shifted test set: as many as there are for the shares to be exact, drawn as a long-tailed
 * training set is, with seed 0. So each run of a data set is tested on the same images. Classes without an image stay without.
 *
 * @param classCounts - `[C]`, training images
 * @returns rows in class order
 * @throws {TailmixError} EVALUATE_SHIFT where a class would lose all of its images.
 * @see Zhang et al. 2022 (SADE), section 5.1, whose test sets are drawn so
 */
export function shiftedSubset(
  { split, indices }: Subset,
  classCounts: readonly number[],
  { name, direction, ratio }: Shift,
): Subset {
  const C = classCounts.length;
  const rows = rowsByClass(
    Int32Array.from(indices, (row) => split.labels[row]!),
    C,
  ).map((own) => own.map((i) => indices[i]!));
  const present = byTrainingCount(classCounts).filter((c) => rows[c]!.length > 0);
  if (direction === 'backward') present.reverse();
  const kept = fitLongTail(
    present.map((c) => rows[c]!.length),
    { profile: 'exp', ratio, mu: 0 },
  );
  if (kept.some((n) => n === 0)) throw shiftEmpty(name, split.name);
  const counts = new Array<number>(C).fill(0);
  for (const [i, c] of present.entries()) counts[c] = kept[i]!;
  return subsetOf(split, drawRows(rows, counts, 0), C);
}
