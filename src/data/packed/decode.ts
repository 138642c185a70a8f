import { statSync } from 'node:fs';
import type sharp from 'sharp';
import type { Metadata } from 'sharp';
import { messageOf, TailmixError } from '../../errors.ts';
import { yieldToEventLoop } from '../../util/event-loop.ts';
import { hashImage } from '../identity.ts';
import type { PackForm } from '../options.ts';
import { openAugment, type Shape } from '../transforms/augment.ts';
import { openResample } from '../transforms/resample.ts';
import type { ImageFile, ImageList, ReadProgress } from '../types.ts';
import { badImage, inputUnreadable, isBadImage, wrongChannels, wrongSize } from './errors.ts';
import { type BadImage, checkMark, readImageFile } from './image-file.ts';
import type { PackedRow } from './packed.ts';

/** Files being decoded at once; libuv's pool has four threads. */
const IN_FLIGHT = 16;

/** Most pixels of an image that is scaled down: that of the largest cameras. Decoding may take six bytes for each. */
const PIXELS = 2 ** 27;
/** Longest that the decoding of one image may take. */
const SECONDS = 60;

/**
 * A JPEG that shrinks to an eighth or less is decoded at an eighth: a pixel is then the mean of a block of 64. One that
 * shrinks less is decoded at a part that leaves at least half of the scaling to the filter.
 */
const FAST_FROM = 8;

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
  exif: Exif;
  onCorrupt: 'error' | 'skip';
}

/** Whether images are turned as their EXIF orientation says. */
export type Exif = 'honour' | 'ignore';

/** Size of an image in pixels, from its header: `[height, width, 3]`, turned where EXIF is honoured. */
export async function imageShape(path: string, exif: Exif): Promise<Shape> {
  const open = await loadSharp();
  try {
    const header = await open(await readImageFile(path, badImage), { limitInputPixels: PIXELS }).metadata();
    return [...sideOf(header, exif), 3];
  } catch (error) {
    throw error instanceof TailmixError ? error : badImage(path, messageOf(error), error);
  }
}

/** Decodes files to RGB, several at once, and yields them in their order; alpha is ignored. */
export async function* decodeFiles(
  { folder, files }: ImageList,
  options: DecodeOptions,
  onProgress: ReadProgress,
  pack: PackForm = 'pixels',
): AsyncGenerator<PackedRow> {
  const open = await loadSharp();
  const [height, width, channels] = options.shape;
  const fileBytes = await bytesOf(files);
  const size = pack === 'files' ? { bytes: fileBytes } : { bytes: files.length * height * width * channels, fileBytes };
  const queue: Promise<PackedRow>[] = [];
  try {
    for (let next = 0, done = 0; done < files.length; done++) {
      while (next < files.length && queue.length < IN_FLIGHT) {
        const row = decodeFile(open, files[next++]!, options);
        row.catch(() => {}); // thrown when its turn comes; until then it is not unhandled
        queue.push(row);
      }
      yield await queue.shift()!;
      onProgress({ split: folder, done: done + 1, total: files.length, ...size });
    }
  } finally {
    await Promise.allSettled(queue);
  }
}

/** Bytes of files together; those that are not there count nothing. */
async function bytesOf(files: readonly ImageFile[]): Promise<number> {
  let sum = 0;
  for (const [i, { path }] of files.entries()) {
    sum += statSync(path, { throwIfNoEntry: false })?.size ?? 0;
    if (i % 1000 === 999) await yieldToEventLoop();
  }
  return sum;
}

async function decodeFile(open: typeof sharp, { path, label }: ImageFile, options: DecodeOptions): Promise<PackedRow> {
  const { shape, onCorrupt } = options;
  try {
    const bytes = await readImageFile(path, badImage);
    const image = await decode(open, { path, bytes }, shape, options);
    return { path, label, image, file: bytes, hash: hashImage(bytes) };
  } catch (error) {
    if (onCorrupt === 'skip' && isBadImage(error)) return { path, label, image: null, reason: messageOf(error) };
    throw error;
  }
}

/** Decodes the content of a packed file's image, as when it was packed. */
export const decodePackedFile = async (
  bytes: Buffer,
  shape: Shape,
  options: Pick<DecodeOptions, 'resize' | 'exif'>,
): Promise<Uint8Array> => decode(await loadSharp(), { path: '', bytes }, shape, options);

/** The version of what decodes. */
export const decoderVersion = async (): Promise<string> => (await loadSharp()).versions.vips;

/** An image that is in memory as its file's content, and what messages call it. */
export interface EncodedImage {
  name: string;
  bytes: Buffer;
}

/**
 * Decodes a file to what evaluation gives the model: as {@link decodeFiles} does, scaled to cover the packed shape, whose
 * centre is cut out. A model of one channel takes grey images, however many channels they are stored in.
 *
 * @param input - path of a file, or its content
 * @param shape - what the model takes
 * @param options.packShape - what images are packed as. Default: `shape`.
 * @param options.exif - Default: `honour`.
 * @throws {TailmixError} IMAGE_UNREADABLE, IMAGE_CHANNELS
 */
export async function decodeInput(
  input: string | EncodedImage,
  shape: Shape,
  { packShape = shape, exif = 'honour' }: { packShape?: Shape | undefined; exif?: Exif | undefined } = {},
): Promise<Uint8Array> {
  const packed = await decodePacked(input, packShape, exif);
  const image = new Uint8Array(shape[0] * shape[1] * shape[2]);
  openAugment([], packShape, 0, 0, { target: shape })(packed, 0, image, 0, 0);
  return image;
}

async function decodePacked(
  input: string | EncodedImage,
  [height, width, channels]: Shape,
  exif: Exif,
): Promise<Uint8Array> {
  const path = typeof input === 'string' ? input : input.name;
  if (channels !== 1 && channels !== 3) throw wrongChannels(path, `images of ${channels} channels`, '3');
  const options = { resize: true, exif };
  const bytes = typeof input === 'string' ? await readImageFile(input, inputUnreadable) : input.bytes;
  if (typeof input !== 'string') checkMark(path, bytes, inputUnreadable);
  const image = await decode(await loadSharp(), { path, bytes }, [height, width, 3], options, inputUnreadable);
  if (channels === 3) return image;
  const grey = image.filter((_, i) => i % 3 === 0);
  if (image.some((value, i) => value !== grey[Math.floor(i / 3)]))
    throw wrongChannels(path, 'a grey image', '3 colours');
  return grey;
}

/** What a header says, as far as decoding needs it. */
type Header = Pick<Metadata, 'width' | 'height' | 'autoOrient' | 'space' | 'depth' | 'channels' | 'format'>;

/** `[height, width]` of what comes out. */
const sideOf = ({ width, height, autoOrient }: Header, exif: Exif): [number, number] =>
  exif === 'honour' ? [autoOrient.height, autoOrient.width] : [height, width];

async function decode(
  open: typeof sharp,
  { path, bytes }: { path: string; bytes: Buffer },
  [height, width]: Shape,
  { resize, exif }: Pick<DecodeOptions, 'resize' | 'exif'>,
  bad: BadImage = badImage,
): Promise<Uint8Array> {
  // An image of the right size has so many pixels; a larger one is not decoded to be refused.
  const pixels = resize ? PIXELS : height * width;
  try {
    const header = await open(bytes, { limitInputPixels: false }).metadata();
    const [ownHeight, ownWidth] = sideOf(header, exif);
    if (header.width * header.height > pixels) {
      if (!resize) throw wrongSize(path, [height, width], [ownHeight, ownWidth]);
      throw bad(path, `${header.width} x ${header.height} pixels`, null);
    }
    if (isTiff(bytes)) requirePicture(header, path, bad);
    // A buffer, because given a path libvips opens the file a dozen times to find its format.
    let image = open(bytes, { failOn: 'error', limitInputPixels: pixels, autoOrient: exif === 'honour' })
      .timeout({ seconds: SECONDS })
      .removeAlpha()
      .toColourspace('srgb');
    const shrink = Math.min(ownHeight / height, ownWidth / width);
    const isEnlarged = resize && shrink < 1;
    if (isDecodedWhole(header)) image = image.pipelineColourspace('srgb');
    if (resize && !isEnlarged) {
      const fastShrinkOnLoad = header.format === 'jpeg' && shrink >= FAST_FROM;
      image = image.resize({ width, height, fit: 'cover', kernel: KERNEL, fastShrinkOnLoad });
    }
    const { data, info } = await image.raw({ depth: 'uchar' }).toBuffer({ resolveWithObject: true });
    if (info.channels !== 3) throw bad(path, `${info.channels} channels that are not RGB`, null);
    if (isEnlarged) return enlarge(data, [info.height, info.width, 3], [height, width, 3]);
    if (info.width !== width || info.height !== height) {
      throw wrongSize(path, [height, width], [info.height, info.width]);
    }
    return data;
  } catch (error) {
    throw error instanceof TailmixError ? error : bad(path, messageOf(error), error);
  }
}

/**
 * Whether libvips must not decode at a part of the size: it would round the sides of a JPEG, which shifts its pixels. An
 * RGB image is therefore asked for in sRGB before it is scaled, which also keeps the profile of one of 16 bits from being
 * taken for another.
 */
const isDecodedWhole = ({ space, format, width, height }: Header): boolean =>
  space === 'rgb16' || (space === 'srgb' && !(format === 'jpeg' && width % 8 === 0 && height % 8 === 0));

/** Scales an image up to cover a shape, and cuts out the centre: libvips would place its pixels half a pixel off. */
function enlarge(image: Uint8Array, from: Shape, [height, width, channels]: Shape): Uint8Array {
  const scale = Math.max(height / from[0], width / from[1]);
  const [wholeHeight, wholeWidth] = [from[0] * scale, from[1] * scale].map(Math.round) as [number, number];
  const whole = new Uint8Array(wholeHeight * wholeWidth * channels);
  const box = { top: 0, left: 0, height: from[0], width: from[1] };
  openResample(from, [wholeHeight, wholeWidth, channels])(image, 0, box, whole, 0);
  const [top, left] = [Math.ceil((wholeHeight - height) / 2), Math.ceil((wholeWidth - width) / 2)];
  const target = new Uint8Array(height * width * channels);
  for (let y = 0; y < height; y++) {
    const at = ((top + y) * wholeWidth + left) * channels;
    target.set(whole.subarray(at, at + width * channels), y * width * channels);
  }
  return target;
}

const isTiff = (bytes: Buffer): boolean => ['II*\0', 'MM\0*'].includes(bytes.toString('latin1', 0, 4));

/** TIFF alone may hold measurements too: numbers that are no brightness, any number of channels. They would be cut off. */
function requirePicture({ depth, channels, space }: Header, path: string, bad: BadImage): void {
  if (depth !== 'uchar' && depth !== 'ushort') throw bad(path, `pixels of type ${depth}`, null);
  if (channels > (space === 'cmyk' ? 5 : 4)) throw bad(path, `${channels} channels`, null);
}
