import type { DataOptions } from '../options.ts';
import type { Shape } from '../transforms/augment.ts';
import type { ImageList } from '../types.ts';
import { imageShape } from './decode.ts';

/** An option that is a side or `[height, width]`, as the shape of an RGB image. */
export function sizeOf(size: NonNullable<DataOptions['imageSize']>): Shape {
  const [height, width] = typeof size === 'number' ? [size, size] : size;
  return [height, width, 3];
}

/** The size asked for, else that of the first image (that can be read, where others are skipped). */
export async function shapeOf(
  { files }: ImageList,
  { imageSize, onCorrupt }: Pick<DataOptions, 'imageSize' | 'onCorrupt'>,
): Promise<Shape> {
  if (imageSize !== undefined) return sizeOf(imageSize);
  for (const { path } of onCorrupt === 'skip' ? files : []) {
    const shape = await imageShape(path).catch(() => null);
    if (shape !== null) return shape;
  }
  return imageShape(files[0]!.path);
}
