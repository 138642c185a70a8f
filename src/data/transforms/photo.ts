import type { Shape } from './augment.ts';
import { type Interpolation, openResample } from './resample.ts';

/*
 * How a photo of any size becomes one of a given size, as torchvision's `Resize` and `CenterCrop` do it, and timm's
 * `ResizeKeepRatio` where the two sides differ. An exported model has this file as a part of `preprocess.mjs`.
 */

/** `[height, width]`. */
export type Sides = readonly [number, number];

/** Where a part of a scaled photo lies. */
export interface Place {
  /** Of the whole photo, scaled. */
  scaled: Sides;
  top: number;
  left: number;
}

/** Half an even number, as Python rounds it. */
export function roundHalfEven(value: number): number {
  const below = Math.floor(value);
  const rest = value - below;
  if (rest !== 0.5) return Math.round(value);
  return below % 2 === 0 ? below : below + 1;
}

/** Where the centre of an axis begins. */
export const centreOf = (size: number, part: number): number => roundHalfEven((size - part) / 2);

/** Sides of a photo that is scaled by one factor until it covers a size. */
export function coveringSize([height, width]: Sides, cover: Sides): Sides {
  if (cover[0] === cover[1]) {
    const [short, long] = height < width ? [height, width] : [width, height];
    const other = Math.trunc((cover[0] * long) / short);
    return height < width ? [cover[0], other] : [other, cover[0]];
  }
  const ratio = Math.min(height / cover[0], width / cover[1]);
  return [roundHalfEven(height / ratio), roundHalfEven(width / ratio)];
}

/**
 * Where a window of `cover` lies in a photo that is scaled to cover it: so that the centre of `shape` in the window is the
 * centre of `shape` in the photo.
 */
export function placeWindow(photo: Sides, cover: Sides, shape: Sides): Place {
  const scaled = coveringSize(photo, cover);
  const begin = (axis: 0 | 1): number => centreOf(scaled[axis], shape[axis]) - centreOf(cover[axis], shape[axis]);
  return { scaled, top: begin(0), left: begin(1) };
}

/**
 * A window of a scaled photo.
 *
 * @param pixels - `[height × width × 3]` of the photo
 * @returns `[height × width × 3]` of the window
 */
export function scaleWindow(
  pixels: Uint8Array,
  [height, width]: Sides,
  { scaled, top, left }: Place,
  [windowHeight, windowWidth]: Sides,
  interpolation: Interpolation | undefined,
): Uint8Array {
  const window = { top, left, height: windowHeight, width: windowWidth };
  const target = new Uint8Array(windowHeight * windowWidth * 3);
  const shape: Shape = [height, width, 3];
  const resample = openResample(shape, [...scaled, 3], { interpolation, window });
  resample(pixels, 0, { top: 0, left: 0, height, width }, target, 0);
  return target;
}
