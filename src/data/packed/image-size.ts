import type { DataOptions } from '../options.ts';
import type { Shape } from '../transforms/augment.ts';
import type { ImageInfo, ImageList } from '../types.ts';
import { type DecodeOptions, imageShape } from './decode.ts';

type Size = number | [number, number];

/** An option that is a side or `[height, width]`, as the shape of an RGB image. */
function sizeOf(size: Size): Shape {
  const [height, width] = typeof size === 'number' ? [size, size] : size;
  return [height, width, 3];
}

/** Sizes of images that are packed: what the model takes, and what is kept where that is another. */
export type Sizes = Pick<ImageInfo, 'shape' | 'packShape'>;

/** The sizes asked for; without any, that of the first image (that can be read, where others are skipped). */
export async function sizesOf(
  list: ImageList,
  options: Pick<DataOptions, 'imageSize' | 'packSize' | 'exif' | 'onCorrupt'>,
): Promise<Sizes> {
  return givenSizes(options) ?? { shape: await firstShape(list, options) };
}

/** The sizes asked for, if any. */
export function givenSizes({
  imageSize,
  packSize,
}: {
  imageSize?: Size | undefined;
  packSize?: Size | undefined;
}): Sizes | null {
  const size = imageSize ?? packSize;
  if (size === undefined) return null;
  return { shape: sizeOf(size), ...(packSize !== undefined && { packShape: sizeOf(packSize) }) };
}

/** How images become rows of these sizes. */
export const decodeOptions = (
  { shape, packShape }: Sizes,
  {
    imageSize,
    packSize,
    exif = 'honour',
    onCorrupt,
  }: Pick<DataOptions, 'imageSize' | 'packSize' | 'exif' | 'onCorrupt'>,
): DecodeOptions => ({
  shape: packShape ?? shape,
  resize: imageSize !== undefined || packSize !== undefined,
  exif,
  onCorrupt,
});

async function firstShape(
  { files }: ImageList,
  { exif = 'honour', onCorrupt }: Pick<DataOptions, 'exif' | 'onCorrupt'>,
): Promise<Shape> {
  for (const { path } of onCorrupt === 'skip' ? files : []) {
    const shape = await imageShape(path, exif).catch(() => null);
    if (shape !== null) return shape;
  }
  return imageShape(files[0]!.path, exif);
}
