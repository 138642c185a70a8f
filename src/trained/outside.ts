import { decodePacked, IN_FLIGHT } from '../data/packed/decode.ts';
import type { Shape } from '../data/transforms/augment.ts';
import { TailmixError } from '../errors.ts';
import { createLogitKeeper, type KeptLogits } from '../metrics/logits.ts';
import { signatureFor } from '../step/signature.ts';
import { logitsOf } from '../train/evaluate.ts';
import type { Fit } from '../train/fit.ts';
import type { TrainedRun } from './open.ts';

/** Images in memory at one time, at least. */
const CHUNK = 256;

/** What a run says of images that are of none of its classes. */
export interface OutsideLogits {
  /** Of the images that could be read, in order; labels are 0 and say nothing. */
  logits: KeptLogits;
  /** Files that could not be read, with the reason. */
  unreadable: { path: string; reason: string }[];
}

/**
 * Logits of image files as evaluation gives them: scaled, cropped, on the engine and in the precision of the run.
 *
 * @param fit - on images, not on features
 * @param files - at least one
 * @throws {TailmixError} IMAGE_UNREADABLE, IMAGE_CHANNELS of the first file where none could be read
 */
export async function logitsOfFiles(
  fit: Fit,
  { exif }: Pick<TrainedRun, 'exif'>,
  files: readonly string[],
): Promise<OutsideLogits> {
  const { engine, program, loader, info } = fit;
  const signature = signatureFor(program, 'predict', {});
  const shape = info.packShape ?? info.imageShape;
  const bytes = shape[0] * shape[1] * shape[2];
  const chunk = Math.max(CHUNK, signature.inputs.images!.shape[0]!);
  const resize = { interpolation: info.interpolation ?? ('bilinear' as const), centre: info.imageShape as Shape };
  const all = createLogitKeeper(files.length, info.classes.length);
  const unreadable: OutsideLogits['unreadable'] = [];
  let first: TailmixError | null = null;
  let count = 0;
  for (let from = 0; from < files.length; from += chunk) {
    const part = files.slice(from, from + chunk);
    const shared = new SharedArrayBuffer(part.length * bytes);
    let rows = 0;
    for (let at = 0; at < part.length; at += IN_FLIGHT) {
      const paths = part.slice(at, at + IN_FLIGHT);
      const images = await Promise.allSettled(
        paths.map((path) => decodePacked(path, shape as Shape, { resize, exif })),
      );
      for (const [i, image] of images.entries()) {
        if (image.status === 'fulfilled') new Uint8Array(shared, rows++ * bytes, bytes).set(image.value);
        else if (image.reason instanceof TailmixError) {
          first ??= image.reason;
          unreadable.push({ path: paths[i]!, reason: image.reason.message });
        } else throw image.reason;
      }
    }
    if (rows === 0) continue;
    const split = {
      name: 'test' as const,
      labels: new Int32Array(rows),
      pixels: { kind: 'memory' as const, bytes: shared, shape: shape as Shape },
    };
    const subset = { split, indices: Int32Array.from({ length: rows }, (_, row) => row) };
    for await (const { logits, labels, indices } of logitsOf(engine, signature, loader, subset, info.classes.length)) {
      all.add(logits, labels, indices);
    }
    count += rows;
  }
  if (count === 0) throw first!;
  const { below, highest, labels, indices } = all.result();
  const logits = {
    below: below.subarray(0, count * info.classes.length),
    highest: highest.subarray(0, count),
    labels: labels.subarray(0, count),
    indices: indices.subarray(0, count),
  };
  return { logits, unreadable };
}
