import { statSync } from 'node:fs';
import type sharp from 'sharp';
import type { Metadata } from 'sharp';
import { messageOf, TailmixError } from '../../errors.ts';
import { createBudget } from '../../util/budget.ts';
import { yieldToEventLoop } from '../../util/event-loop.ts';
import { hashImage } from '../identity.ts';
import type { PackForm } from '../options.ts';
import { openAugment, type Shape } from '../transforms/augment.ts';
import { placeWindow, scaleWindow } from '../transforms/photo.ts';
import type { Interpolation } from '../transforms/resample.ts';
import type { ImageFile, ImageList, ReadProgress } from '../types.ts';
import { badImage, inputUnreadable, isBadImage, wrongChannels, wrongSize } from './errors.ts';
import { type BadImage, checkMark, readImageFile } from './image-file.ts';
import type { PackedRow } from './packed.ts';

/** Files being decoded at once; libuv's pool has four threads. */
export const IN_FLIGHT = 16;

/** Most pixels of an image that is scaled down: that of the largest cameras. Decoding may take six bytes for each. */
const PIXELS = 2 ** 27;
/** Longest that the decoding of one image may take. */
const SECONDS = 60;

/** Whole photos are in memory while they are scaled: together up to 256 MB, or one. */
const inMemory = createBudget(2 ** 28);

/** Loaded when an image is decoded and not before: it takes longer to load than everything else here. */
const loadSharp = async (): Promise<typeof sharp> => (await import('sharp')).default;

/** How files become rows of a packed file. */
export interface DecodeOptions {
  /** `[height, width, 3]` of what comes out. */
  shape: Shape;
  /** How an image is scaled to cover the shape; null: every image must have it. */
  resize: Resize | null;
  exif: Exif;
  onCorrupt: 'error' | 'skip';
}

/** How a photo is scaled. */
export interface Resize {
  interpolation: Interpolation;
  /** `[height, width, 3]` whose centre evaluation cuts out of what comes out. Default: what comes out. */
  centre?: Shape | undefined;
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

/** Bytes of files together; those that cannot be looked at count nothing, and are named when they are read. */
async function bytesOf(files: readonly ImageFile[]): Promise<number> {
  let sum = 0;
  for (const [i, { path }] of files.entries()) {
    try {
      sum += statSync(path).size;
    } catch {}
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
 * @param options.interpolation - Default: `bilinear`.
 * @param options.exif - Default: `honour`.
 * @throws {TailmixError} IMAGE_UNREADABLE, IMAGE_CHANNELS
 */
export async function decodeInput(
  input: string | EncodedImage,
  shape: Shape,
  {
    packShape = shape,
    interpolation = 'bilinear',
    exif = 'honour',
  }: { packShape?: Shape | undefined; interpolation?: Interpolation | undefined; exif?: Exif | undefined } = {},
): Promise<Uint8Array> {
  const packed = await decodePacked(input, packShape, { resize: { interpolation, centre: shape }, exif });
  const image = new Uint8Array(shape[0] * shape[1] * shape[2]);
  openAugment([], packShape, 0, 0, { target: shape })(packed, 0, image, 0, 0);
  return image;
}

/**
 * Decodes a file to what a packed file would hold of it, in the channels of `shape`.
 *
 * @throws {TailmixError} IMAGE_UNREADABLE, IMAGE_CHANNELS
 */
export async function decodePacked(
  input: string | EncodedImage,
  [height, width, channels]: Shape,
  options: Pick<DecodeOptions, 'resize' | 'exif'>,
): Promise<Uint8Array> {
  const path = typeof input === 'string' ? input : input.name;
  if (channels !== 1 && channels !== 3) throw wrongChannels(path, `images of ${channels} channels`, '3');
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
  const pixels = resize === null ? height * width : PIXELS;
  try {
    const header = await open(bytes, { limitInputPixels: false }).metadata();
    const [ownHeight, ownWidth] = sideOf(header, exif);
    if (header.width * header.height > pixels) {
      if (resize === null) throw wrongSize(path, [height, width], [ownHeight, ownWidth]);
      throw bad(path, `${header.width} x ${header.height} pixels`, null);
    }
    if (isTiff(bytes)) requirePicture(header, path, bad);
    return await inMemory(header.width * header.height * 3, async () => {
      // A buffer, because given a path libvips opens the file a dozen times to find its format.
      let image = open(bytes, { failOn: 'error', limitInputPixels: pixels, autoOrient: exif === 'honour' })
        .timeout({ seconds: SECONDS })
        .removeAlpha()
        .toColourspace('srgb');
      // Otherwise the profile of an image of 16 bits is taken for another.
      if (header.space === 'rgb16') image = image.pipelineColourspace('srgb');
      const { data, info } = await image.raw({ depth: 'uchar' }).toBuffer({ resolveWithObject: true });
      if (info.channels !== 3) throw bad(path, `${info.channels} channels that are not RGB`, null);
      const got = [info.height, info.width] as const;
      if (got[0] === height && got[1] === width) return data;
      if (resize === null) throw wrongSize(path, [height, width], got);
      const { centre = [height, width, 3], interpolation } = resize;
      const place = placeWindow(got, [height, width], [centre[0], centre[1]]);
      return scaleWindow(data, got, place, [height, width], interpolation);
    });
  } catch (error) {
    throw error instanceof TailmixError ? error : bad(path, messageOf(error), error);
  }
}

const isTiff = (bytes: Buffer): boolean => ['II*\0', 'MM\0*'].includes(bytes.toString('latin1', 0, 4));

/** TIFF alone may hold measurements too: numbers that are no brightness, any number of channels. They would be cut off. */
function requirePicture({ depth, channels, space }: Header, path: string, bad: BadImage): void {
  if (depth !== 'uchar' && depth !== 'ushort') throw bad(path, `pixels of type ${depth}`, null);
  if (channels > (space === 'cmyk' ? 5 : 4)) throw bad(path, `${channels} channels`, null);
}
