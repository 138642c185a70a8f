import { evenly } from '../../util/evenly.ts';
import type { DataOptions } from '../options.ts';
import type { Shape } from '../transforms/augment.ts';
import type { ImageInfo, ImageList } from '../types.ts';
import { type DecodeOptions, imageShape } from './decode.ts';
import { isBadImage } from './errors.ts';

type Size = number | [number, number];

/** An option that is a side or `[height, width]`, as the shape of an RGB image. */
function sizeOf(size: Size): Shape {
  const [height, width] = typeof size === 'number' ? [size, size] : size;
  return [height, width, 3];
}

/** Sizes of images that are packed: what the model takes, and what is kept where that is another. */
export type Sizes = Pick<ImageInfo, 'shape' | 'packShape' | 'interpolation'>;

/** Sizes that a set of images is packed at. */
export interface ChosenSizes {
  sizes: Sizes;
  /** Whether images are scaled to them; else every image must have them. */
  resize: boolean;
  /** What was chosen, where nothing asked for it. */
  notes: string[];
}

/** Sides that are chosen from. */
const SIDES = [32, 64, 96, 128, 160, 192, 224];
/** Largest side of images of one size that are taken as they are. */
const KEPT = 256;
/** Files that are looked at. */
const SAMPLE = 64;

/**
 * The sizes asked for. Without any, of up to 64 files, evenly spread: images of one size up to 256 pixels keep it; others are
 * scaled to a square, whose side is the largest of 32, 64 … 224 that at least half of them have as their shorter side.
 */
export async function chooseSizes(list: ImageList, options: SizeOptions): Promise<ChosenSizes> {
  const given = givenSizes(options);
  if (given !== null) return { sizes: given, resize: true, notes: [] };
  const shapes = await sampleShapes(list, options);
  const [first] = shapes as [Shape, ...Shape[]];
  const isUniform = shapes.every(([height, width]) => height === first[0] && width === first[1]);
  if (isUniform && Math.max(first[0], first[1]) <= KEPT) {
    const sizes = withCrop(first, options);
    return { sizes, resize: 'packShape' in sizes, notes: [] };
  }
  const shorter = shapes.map(([height, width]) => Math.min(height, width)).sort((a, b) => a - b);
  const half = shorter[Math.floor((shorter.length - 1) / 2)]!;
  const side = SIDES.findLast((one) => one <= half) ?? SIDES[0]!;
  const note = `scaled to ${side} x ${side} pixels, because the images have ${isUniform ? `${first[0]} x ${first[1]}` : 'different sizes'} (data.imageSize sets another size)`;
  return { sizes: withCrop([side, side, 3], options), resize: true, notes: [note] };
}

export type SizeOptions = Pick<
  DataOptions,
  'imageSize' | 'packSize' | 'cropFraction' | 'interpolation' | 'exif' | 'onCorrupt'
>;

/** The sizes asked for, if any. */
export function givenSizes({ imageSize, packSize, ...options }: Partial<SizeOptions>): Sizes | null {
  const size = imageSize ?? packSize;
  if (size === undefined) return null;
  if (packSize === undefined) return withCrop(sizeOf(size), options);
  const { interpolation } = options;
  return { shape: sizeOf(size), packShape: sizeOf(packSize), ...(interpolation && { interpolation }) };
}

/** What is packed for a model's shape where its centre is a fraction of it, rounded as timm does. */
function withCrop(shape: Shape, { cropFraction = 1, interpolation }: Partial<SizeOptions>): Sizes {
  const side = (own: number): number => Math.floor(own / cropFraction);
  return {
    shape,
    ...(cropFraction < 1 && { packShape: [side(shape[0]), side(shape[1]), 3] as const }),
    ...(interpolation && { interpolation }),
  };
}

/** How images become rows of these sizes. */
export const decodeOptions = (
  { sizes: { shape, packShape = shape, interpolation = 'bilinear' }, resize }: Pick<ChosenSizes, 'sizes' | 'resize'>,
  { exif = 'honour', onCorrupt }: Pick<SizeOptions, 'exif' | 'onCorrupt'>,
): DecodeOptions => ({
  shape: packShape,
  resize: resize ? { interpolation, ...(packShape !== shape && { centre: shape }) } : null,
  exif,
  onCorrupt,
});

/** Sizes of files of a list that can be read: at least one. */
async function sampleShapes({ files }: ImageList, { exif = 'honour' }: SizeOptions): Promise<Shape[]> {
  const sample = evenly(files.length, Math.min(SAMPLE, files.length)).map((at) => files[at]!.path);
  const read = async (path: string): Promise<Shape | null> =>
    imageShape(path, exif).catch((error: unknown) => {
      if (isBadImage(error)) return null;
      throw error;
    });
  const found: Shape[] = [];
  for (const path of sample) {
    const shape = await read(path);
    if (shape !== null) found.push(shape);
  }
  for (let i = 0; found.length === 0 && i < files.length; i++) {
    const shape = await read(files[i]!.path);
    if (shape !== null) found.push(shape);
  }
  // Nothing can be read: in the words of the first.
  return found.length > 0 ? found : [await imageShape(files[0]!.path, exif)];
}
