import { readFile } from 'node:fs/promises';
import type sharp from 'sharp';
import { messageOf, TailmixError } from '../../errors.ts';
import { badImage, inputUnreadable, wrongChannels, wrongSize } from '../errors.ts';
import type { ClassFolders } from '../sets/class-folders.ts';
import type { Shape } from '../transforms/augment.ts';
import type { ReadProgress } from '../types.ts';
import type { PackedRow } from './packed.ts';

/** Files being decoded at once; libuv's pool has four threads. */
const IN_FLIGHT = 16;

/** Loaded when an image is decoded and not before: it takes longer to load than everything else here. */
const loadSharp = async (): Promise<typeof sharp> => (await import('sharp')).default;

/** How files become rows of a packed file. */
export interface DecodeOptions {
  /** `[height, width, 3]`. */
  shape: Shape;
  /** Scale to cover the shape and cut out the centre; otherwise every image must have it. */
  resize: boolean;
  onCorrupt: 'error' | 'skip';
}

/** Size of an image in pixels, from its header: `[height, width, 3]`. */
export async function imageShape(path: string): Promise<Shape> {
  const open = await loadSharp();
  try {
    const { width, height } = await open(path).metadata();
    return [height, width, 3];
  } catch (error) {
    throw badImage(path, messageOf(error), error);
  }
}

/** Decodes files to RGB, several at once, and yields them in their order. Orientation tags and alpha are ignored. */
export async function* decodeFiles(
  { folder, files }: ClassFolders,
  options: DecodeOptions,
  onProgress: ReadProgress,
): AsyncGenerator<PackedRow> {
  const open = await loadSharp();
  const queue: Promise<PackedRow>[] = [];
  try {
    for (let next = 0, done = 0; done < files.length; done++) {
      while (next < files.length && queue.length < IN_FLIGHT) {
        const row = decodeFile(open, files[next++]!, options);
        row.catch(() => {}); // thrown when its turn comes; until then it is not unhandled
        queue.push(row);
      }
      yield await queue.shift()!;
      onProgress({ split: folder, done: done + 1, total: files.length });
    }
  } finally {
    await Promise.allSettled(queue);
  }
}

async function decodeFile(
  open: typeof sharp,
  { path, label }: ClassFolders['files'][number],
  { shape, resize, onCorrupt }: DecodeOptions,
): Promise<PackedRow> {
  try {
    return { path, label, image: await decode(open, path, shape, resize) };
  } catch (error) {
    if (onCorrupt === 'skip') return { path, label, image: null, reason: messageOf(error) };
    throw error;
  }
}

/**
 * Decodes a file to what a model takes: as {@link decodeFiles} does, scaled to cover the shape, the centre cut out.
 * A model of one channel takes grey images, however many channels they are stored in.
 *
 * @throws {TailmixError} IMAGE_UNREADABLE, IMAGE_CHANNELS
 */
export async function decodeInput(path: string, [height, width, channels]: Shape): Promise<Uint8Array> {
  if (channels !== 1 && channels !== 3) throw wrongChannels(path, `images of ${channels} channels`, '3');
  const image = await decode(await loadSharp(), path, [height, width, 3], true).catch(({ cause }: TailmixError) => {
    throw inputUnreadable(path, messageOf(cause), cause);
  });
  if (channels === 3) return image;
  const grey = image.filter((_, i) => i % 3 === 0);
  if (image.some((value, i) => value !== grey[Math.floor(i / 3)]))
    throw wrongChannels(path, 'a grey image', '3 colours');
  return grey;
}

async function decode(open: typeof sharp, path: string, [height, width]: Shape, resize: boolean): Promise<Uint8Array> {
  try {
    // A buffer, because given a path libvips opens the file a dozen times to find its format.
    let image = open(await readFile(path), { failOn: 'error' })
      .removeAlpha()
      .toColourspace('srgb');
    if (resize) image = image.resize({ width, height, fit: 'cover' });
    const { data, info } = await image.raw({ depth: 'uchar' }).toBuffer({ resolveWithObject: true });
    if (info.width === width && info.height === height) return data;
    throw wrongSize(path, [height, width], [info.height, info.width]);
  } catch (error) {
    throw error instanceof TailmixError ? error : badImage(path, messageOf(error), error);
  }
}
