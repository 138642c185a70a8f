import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { writeFileAtomic } from '../../tracking/write-file.ts';

/** File of a run directory with the pictures that `tailmix pictures` has made of it. */
export const PICTURES = 'pictures.json';

/** Longest file that a report reads: a page holds 10 MB. */
const MOST_BYTES = 10_000_000;

const count = z.int().min(0);
const share = z.number().min(0).max(1);
/** Bytes as Base64, of at most a megabyte. */
const base64 = z
  .string()
  .max(1_400_000)
  .regex(/^[A-Za-z0-9+/]*={0,2}$/);
const picture = z.object({ type: z.enum(['png', 'jpeg']), width: count, height: count, bytes: base64 });

const mixed = z.object({
  epoch: count,
  step: count,
  mix: z.string(),
  size: count,
  pairs: count,
  relabelled: count,
  rows: z.array(
    z.object({
      own: picture,
      partner: picture,
      mixed: picture.nullable(),
      label: z.string(),
      pairLabel: z.string(),
      lambda: share,
      labelWeight: share,
    }),
  ),
});

const wrong = z.object({
  /** Test images, how many of them are classified wrongly, and training images among which neighbours were looked for. */
  count,
  wrong: count,
  among: count,
  /** Classes with a mistake; `rows` may be of some of them. */
  classes: count,
  rows: z.array(
    z.object({
      image: picture,
      label: z.string(),
      predicted: z.string(),
      probability: share,
      labelProbability: share,
      nearest: z.array(z.object({ image: picture, label: z.string(), similarity: z.number() })),
    }),
  ),
});

const plane = z.object({
  side: z.int().min(1).max(256),
  /** `[side × side]` bytes, 255 for 1: rows from the highest y down, probability of class 1. */
  probability: base64,
  /** x and y of 0 to 255, y upwards, and the label. */
  points: z.array(z.tuple([count.max(255), count.max(255), count.max(1)])).max(100_000),
});

const pictures = z.object({
  /** Of the run when they were made: what tells whether it is the same still. */
  configHash: z.string(),
  subsetHash: z.string(),
  epoch: count,
  mixed: mixed.nullable(),
  wrong: wrong.nullable(),
  plane: plane.nullable(),
});

/** A small image, to be shown. */
export type Picture = z.infer<typeof picture>;

/** Pictures of a run. */
export type Pictures = z.infer<typeof pictures>;

/** Writes the pictures of a run into its directory. */
export async function writePictures(runDirectory: string, made: Pictures): Promise<string> {
  const path = join(runDirectory, PICTURES);
  await writeFileAtomic(path, `${JSON.stringify(made)}\n`);
  return path;
}

/**
 * The pictures of a run; null where none were made. What is read is taken as data: nothing of the run is executed.
 *
 * @returns a text where they cannot be shown: why
 */
export async function readPictures(runDirectory: string): Promise<Pictures | string | null> {
  const path = join(runDirectory, PICTURES);
  const found = await stat(path).catch((error: NodeJS.ErrnoException) => (error.code === 'ENOENT' ? null : error));
  if (found === null) return null;
  if (found instanceof Error) return `${PICTURES} cannot be read (${found.message})`;
  if (found.size > MOST_BYTES) return `${PICTURES} is larger than a page may be (10 MB)`;
  try {
    const parsed = pictures.safeParse(JSON.parse(await readFile(path, 'utf8')));
    if (parsed.success) return parsed.data;
    const [issue] = parsed.error.issues;
    return `${PICTURES} is damaged: ${issue!.path.join('.') || 'content'}: ${issue!.message}`;
  } catch (error) {
    return `${PICTURES} cannot be read (${(error as Error).message.split('\n')[0]})`;
  }
}
