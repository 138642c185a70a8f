import type { DataOptions } from '../options.ts';
import { givenSizes, type SizeOptions } from '../packed/image-size.ts';
import type { Scale, Shape } from '../transforms/augment.ts';
import type { ImageInfo, Split } from '../types.ts';

/** What is scaled whenever it is read. */
export interface ScaledWhenRead {
  /** For the info of the set, in the place of its shape. */
  sizes: Pick<ImageInfo, 'shape' | 'packShape' | 'keptShape' | 'interpolation' | 'notes'>;
  /** A split whose images are scaled. */
  scaled(split: Split): Split;
}

/**
 * Small images of one size, which are kept as they are and scaled whenever they are read: at 224 pixels a side they would
 * take 49 times the memory of 32.
 *
 * @param shape - of the images
 */
export function scaledWhenRead(shape: Shape, options: Partial<SizeOptions>): ScaledWhenRead {
  const given = sizesOf(shape, options);
  if (given === null) return { sizes: { shape }, scaled: (split) => split };
  const { interpolation = 'bilinear', packShape = given.shape } = given;
  const scale: Scale = { shape: packShape, interpolation };
  const sides = ([height, width]: Shape): string => `${height} × ${width}`;
  const cut = packShape === given.shape ? '' : `, of which ${sides(given.shape)} are cut out`;
  return {
    sizes: {
      ...given,
      keptShape: shape,
      notes: [`of ${sides(shape)}, scaled to ${sides(packShape)} (${interpolation})${cut}, whenever they are read`],
    },
    scaled: (split) => ({ ...split, pixels: { ...split.pixels, shape, scale } }),
  };
}

/** The sizes asked for; null where they are those of the images. */
function sizesOf(shape: Shape, options: Partial<DataOptions>): ReturnType<typeof givenSizes> {
  const { imageSize, packSize, cropFraction } = options;
  const isCropped = packSize === undefined && cropFraction !== undefined;
  const given = givenSizes({ ...options, imageSize: imageSize ?? (isCropped ? [shape[0], shape[1]] : undefined) });
  const isKept = given?.packShape === undefined && given?.shape.every((side, i) => side === shape[i]);
  return isKept ? null : given;
}
