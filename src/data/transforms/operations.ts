import type { Shape } from './augment.ts';
import { brighten, type ColourOperation, contrast, saturate } from './colour.ts';
import { affine, type Matrix } from './geometry.ts';

/** Reads an RGB image at `source[from]`, writes it at `target[0]`. */
export type Operation = (source: Uint8Array, from: number, target: Uint8Array) => void;

/** The 14 operations that RandAugment draws from (Cubuk et al. 2020), in torchvision's order. */
export const randAugmentNames = [
  'identity',
  'shear-x',
  'shear-y',
  'translate-x',
  'translate-y',
  'rotate',
  'brightness',
  'color',
  'contrast',
  'sharpness',
  'posterize',
  'solarize',
  'auto-contrast',
  'equalize',
] as const;

/** Those of AutoAugment too (Cubuk et al. 2019). */
export type OperationName = (typeof randAugmentNames)[number] | 'invert';

/**
 * The operations of RandAugment and AutoAugment with torchvision's ranges: strength grows from none at 0. Those with a sign
 * take either by chance. Geometry is by the nearest pixel and leaves black behind.
 *
 * @param share - of the range, 0…1
 * @returns for each what it does with a sign of 1 or −1
 */
export function openOperations(shape: Shape, share: number): Record<OperationName, (sign: number) => Operation> {
  const [height, width] = shape;
  const move =
    (matrix: (sign: number) => Matrix): ((sign: number) => Operation) =>
    (sign) =>
    (source, from, target) =>
      affine(source, from, target, shape, matrix(sign));
  const colour =
    (change: (sign: number) => ColourOperation): ((sign: number) => Operation) =>
    (sign) =>
    (source, from, target) => {
      const bytes = height * width * 3;
      target.set(source.subarray(from, from + bytes));
      change(sign)(target, 0, height * width);
    };
  const factor = (sign: number): number => 1 + sign * 0.9 * share;
  return {
    identity: colour(() => () => {}),
    'shear-x': move((sign) => [1, sign * 0.3 * share, 0, 0, 1, 0]),
    'shear-y': move((sign) => [1, 0, 0, sign * 0.3 * share, 1, 0]),
    'translate-x': move((sign) => [1, 0, -sign * Math.trunc((150 / 331) * width * share), 0, 1, 0]),
    'translate-y': move((sign) => [1, 0, 0, 0, 1, -sign * Math.trunc((150 / 331) * height * share)]),
    rotate: move((sign) => rotation(shape, sign * 30 * share)),
    brightness: colour((sign) => brighten(factor(sign))),
    color: colour((sign) => saturate(factor(sign))),
    contrast: colour((sign) => contrast(factor(sign))),
    sharpness: (sign) => (source, from, target) => sharpen(source, from, target, shape, factor(sign)),
    posterize: colour(() => posterize(8 - Math.round(4 * share))),
    solarize: colour(() => solarize(255 * (1 - share))),
    'auto-contrast': colour(() => autoContrast),
    equalize: colour(() => equalize),
    invert: colour(() => solarize(0)),
  };
}

/** A turn around the centre, in degrees, counter-clockwise. */
export function rotation([height, width]: Shape, degrees: number): Matrix {
  const angle = (degrees * Math.PI) / 180;
  const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
  const [x, y] = [width / 2, height / 2];
  return [cos, -sin, x - cos * x + sin * y, sin, cos, y - sin * x - cos * y];
}

/** Multiplies the distance from the image smoothed with 1 1 1, 1 5 1, 1 1 1 over 13; the border stays. */
export function sharpen(
  source: Uint8Array,
  from: number,
  target: Uint8Array,
  [height, width]: Shape,
  factor: number,
): void {
  const row = 3 * width;
  target.set(source.subarray(from, from + height * row));
  for (let y = 1; y < height - 1; y++) {
    for (let i = from + y * row + 3; i < from + (y + 1) * row - 3; i++) {
      let sum = 4 * source[i]!;
      for (let above = i - row - 3; above <= i + row - 3; above += row)
        sum += source[above]! + source[above + 3]! + source[above + 6]!;
      const value = factor * source[i]! + (1 - factor) * Math.round(sum / 13);
      target[i - from] = Math.min(255, Math.max(0, Math.floor(value)));
    }
  }
}

/** Keeps the highest bits. */
export const posterize =
  (bits: number): ColourOperation =>
  (image, at, pixels) => {
    const mask = 0xff & (0xff << (8 - bits));
    for (let i = at; i < at + 3 * pixels; i++) image[i]! &= mask;
  };

/** Inverts what is not below a threshold. */
export const solarize =
  (threshold: number): ColourOperation =>
  (image, at, pixels) => {
    for (let i = at; i < at + 3 * pixels; i++) if (image[i]! >= threshold) image[i] = 255 - image[i]!;
  };

/** Stretches each channel to 0…255. */
export const autoContrast: ColourOperation = (image, at, pixels) => {
  for (let c = at; c < at + 3; c++) {
    let [low, high] = [255, 0];
    for (let i = c; i < at + 3 * pixels; i += 3) {
      low = Math.min(low, image[i]!);
      high = Math.max(high, image[i]!);
    }
    if (high <= low) continue;
    for (let i = c; i < at + 3 * pixels; i += 3) image[i] = Math.floor(((image[i]! - low) * 255) / (high - low));
  }
};

/** Spreads the values of each channel evenly, as Pillow does. */
export const equalize: ColourOperation = (image, at, pixels) => {
  const counts = new Int32Array(256);
  for (let c = at; c < at + 3; c++) {
    counts.fill(0);
    for (let i = c; i < at + 3 * pixels; i += 3) counts[image[i]!]!++;
    const last = counts.findLast((count) => count > 0)!;
    const step = Math.floor((pixels - last) / 255);
    if (step === 0) continue;
    const table = new Uint8Array(256);
    let sum = Math.floor(step / 2);
    for (let value = 0; value < 256; value++) {
      table[value] = Math.min(255, Math.floor(sum / step));
      sum += counts[value]!;
    }
    for (let i = c; i < at + 3 * pixels; i += 3) image[i] = table[image[i]!]!;
  }
};
