import type sharp from 'sharp';
import { messageOf, TailmixError } from '../../errors.ts';
import { badImage, inputUnreadable, wrongChannels, wrongSize } from '../errors.ts';
import { openAugment, type Shape } from '../transforms/augment.ts';
import type { ImageFile, ImageList, ReadProgress } from '../types.ts';
import { type BadImage, readImageFile } from './image-file.ts';
import type { PackedRow } from './packed.ts';

/** Files being decoded at once; libuv's pool has four threads. */
const IN_FLIGHT = 16;

/** Most pixels of an image that is scaled down: that of the largest cameras. Decoding may take six bytes for each. */
const PIXELS = 2 ** 27;
/** Longest that the decoding of one image may take. */
const SECONDS = 60;

/**
 * The filter of torchvision's `Resize`, with which networks that are trained further were trained; Lanczos would sharpen.
 * A part of what packed files are keyed by.
 */
export const KERNEL = 'linear';

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
    const { width, height } = await open(await readImageFile(path, badImage), { limitInputPixels: PIXELS }).metadata();
    return [height, width, 3];
  } catch (error) {
    throw error instanceof TailmixError ? error : badImage(path, messageOf(error), error);
  }
}

/** Decodes files to RGB, several at once, and yields them in their order. Orientation tags and alpha are ignored. */
export async function* decodeFiles(
  { folder, files }: ImageList,
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
  { path, label }: ImageFile,
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
 * Decodes a file to what evaluation gives the model: as {@link decodeFiles} does, scaled to cover the packed shape, whose
 * centre is cut out. A model of one channel takes grey images, however many channels they are stored in.
 *
 * @param shape - what the model takes
 * @param packShape - what images are packed as. Default: the same.
 * @throws {TailmixError} IMAGE_UNREADABLE, IMAGE_CHANNELS
 */
export async function decodeInput(path: string, shape: Shape, packShape: Shape = shape): Promise<Uint8Array> {
  const packed = await decodePacked(path, packShape);
  const image = new Uint8Array(shape[0] * shape[1] * shape[2]);
  openAugment([], packShape, 0, 0, { target: shape })(packed, 0, image, 0, 0);
  return image;
}

async function decodePacked(path: string, [height, width, channels]: Shape): Promise<Uint8Array> {
  if (channels !== 1 && channels !== 3) throw wrongChannels(path, `images of ${channels} channels`, '3');
  const image = await decode(await loadSharp(), path, [height, width, 3], true, inputUnreadable);
  if (channels === 3) return image;
  const grey = image.filter((_, i) => i % 3 === 0);
  if (image.some((value, i) => value !== grey[Math.floor(i / 3)]))
    throw wrongChannels(path, 'a grey image', '3 colours');
  return grey;
}

async function decode(
  open: typeof sharp,
  path: string,
  [height, width]: Shape,
  resize: boolean,
  bad: BadImage = badImage,
): Promise<Uint8Array> {
  const bytes = await readImageFile(path, bad);
  // An image of the right size has so many pixels; a larger one is not decoded to be refused.
  const pixels = resize ? PIXELS : height * width;
  try {
    if (isTiff(bytes)) await requirePicture(open, bytes, path, bad);
    // A buffer, because given a path libvips opens the file a dozen times to find its format.
    let image = open(bytes, { failOn: 'error', limitInputPixels: pixels })
      .timeout({ seconds: SECONDS })
      .removeAlpha()
      .toColourspace('srgb');
    if (resize) image = image.resize({ width, height, fit: 'cover', kernel: KERNEL });
    const { data, info } = await image.raw({ depth: 'uchar' }).toBuffer({ resolveWithObject: true });
    if (info.width !== width || info.height !== height) {
      throw wrongSize(path, [height, width], [info.height, info.width]);
    }
    if (info.channels !== 3) throw bad(path, `${info.channels} channels that are not RGB`, null);
    return data;
  } catch (error) {
    if (error instanceof TailmixError) throw error;
    if (!messageOf(error).includes('pixel limit')) throw bad(path, messageOf(error), error);
    const found = await open(bytes, { limitInputPixels: false })
      .metadata()
      .catch(() => null);
    if (found && !resize) throw wrongSize(path, [height, width], [found.height, found.width]);
    throw bad(path, found ? `${found.width} x ${found.height} pixels` : messageOf(error), error);
  }
}

const isTiff = (bytes: Buffer): boolean => ['II*\0', 'MM\0*'].includes(bytes.toString('latin1', 0, 4));

/** TIFF alone may hold measurements too: numbers that are no brightness, any number of channels. They would be cut off. */
async function requirePicture(open: typeof sharp, bytes: Buffer, path: string, bad: BadImage): Promise<void> {
  const { depth, channels, space } = await open(bytes, { limitInputPixels: false }).metadata();
  if (depth !== 'uchar' && depth !== 'ushort') throw bad(path, `pixels of type ${depth}`, null);
  if (channels > (space === 'cmyk' ? 5 : 4)) throw bad(path, `${channels} channels`, null);
}
