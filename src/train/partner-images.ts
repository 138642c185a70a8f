import type { StepRows } from '../data/types.ts';
import { rowsOfShare } from '../step/all-reduce.ts';
import type { Batch } from '../step/types.ts';
import { concatenate } from '../util/concatenate.ts';
import { type PlannedStep, rowsOfStep } from './epoch.ts';
import type { Fit } from './fit.ts';

/**
 * Images of a step with those of the partners of its trained rows behind them, as `withPartners` has them. In a process of a
 * cluster they are of its own rows; partners that it has not loaded are read.
 *
 * @param images - of the rows that the process has loaded, as bytes
 * @param epoch - of the run
 */
export async function withPartnerImages(
  { partnerLoader, data, sources, options: { link } }: Fit,
  images: Uint8Array,
  planned: PlannedStep,
  { size, poolSize, pair }: Batch,
  epoch: number,
): Promise<Uint8Array> {
  const share = link ?? { rank: 0, processes: 1 };
  const loaded = rowsOfShare(poolSize, size, share);
  const wanted = rowsOfShare(size, size, share).map((row) => pair[row]!);
  const bytes = images.length / loaded.length;
  const imageAt = (all: Uint8Array, place: number): Uint8Array => all.subarray(place * bytes, (place + 1) * bytes);
  const known = new Map(Array.from(loaded, (row, place) => [row, imageAt(images, place)]));
  const missing = Int32Array.from(new Set(wanted.filter((row) => !known.has(row))));
  if (missing.length > 0) {
    const rows: StepRows[] = [rowsOfStep(planned, missing)];
    for await (const read of partnerLoader!.load(data.train.split, rows, epoch, true, sources))
      for (const [i, row] of missing.entries()) known.set(row, imageAt(read.images, i));
  }
  return concatenate(Uint8Array, [images, ...Array.from(wanted, (row) => known.get(row)!)]);
}
