import { displayPath } from '../../errors.ts';
import { type KeptLogits, keptTable } from '../../metrics/logits.ts';
import { confidences, type Separation, separation } from '../../metrics/selective.ts';
import type { Fit } from '../../train/fit.ts';
import type { TrainedRun } from '../../trained/open.ts';
import { logitsOfFiles } from '../../trained/outside.ts';
import { oodOfFeatures } from '../errors.ts';
import { listImages } from '../list-images.ts';
import { complain } from '../output.ts';

/** How well the highest softmax probability tells the images of a split from others. */
export interface OutOfDistribution extends Separation {
  folder: string;
  score: 'max-softmax';
  /** Images that were read. */
  count: number;
  unreadable: { path: string; reason: string }[];
}

/**
 * The image files of a folder and its sub-folders.
 *
 * @throws {TailmixError} RUN_OF_FEATURES, PREDICT_EMPTY
 */
export function outsideFiles({ info, directory }: TrainedRun, folder: string): Promise<string[]> {
  if (info.features) throw oodOfFeatures(displayPath(directory));
  return listImages([folder], true);
}

/** Compares a split's confidences with those of files; says which could not be read. */
export async function outOfDistribution(
  fit: Fit,
  run: TrainedRun,
  { folder, files, inside }: { folder: string; files: readonly string[]; inside: KeptLogits },
): Promise<OutOfDistribution> {
  const { logits, unreadable } = await logitsOfFiles(fit, run, files);
  if (unreadable.length > 0)
    complain(`${unreadable.length} of ${files.length} images could not be read and are left out:`);
  for (const { reason } of unreadable) complain(reason);
  const [within, outside] = [confidences(keptTable(inside)), confidences(keptTable(logits))];
  return { folder, score: 'max-softmax', count: outside.length, ...separation(within, outside), unreadable };
}
