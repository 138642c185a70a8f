import type { Shape } from './augment.ts';

/*
 * Scaling as Pillow's `Image.resize` does it, to the bit (src/libImaging/Resample.c). An exported model has this file as a part of
 * `preprocess.mjs`: it imports nothing.
 */

/** A part of an image, in pixels. */
export interface Box {
  top: number;
  left: number;
  height: number;
  width: number;
}

/** Filters, both with anti-aliasing; `bicubic` has Pillow's a = −0.5. */
export const interpolations = ['bilinear', 'bicubic'] as const;
export type Interpolation = (typeof interpolations)[number];

/** Scales boxes of images; its buffers are its own. */
export type Resample = (source: Uint8Array, from: number, box: Box, target: Uint8Array, to: number) => void;

/** Weights are whole numbers of 2⁻²², as Pillow's are: 255 times their sum is below 2³¹. */
const BITS = 22;
const HALF = 1 << (BITS - 1);

/** Rows that are scaled side by side: a column's weights are read once for all of them. */
const ROWS = 32;

interface Filter {
  /** Pixels on either side that it covers, where nothing is scaled down. */
  reach: number;
  weight(x: number): number;
}

const A = -0.5;

/** Keys' cubic with a = −0.5, which Pillow has, and PyTorch with `antialias`. */
export function cubic(distance: number): number {
  const x = Math.abs(distance);
  if (x < 1) return ((A + 2) * x - (A + 3)) * x * x + 1;
  return x < 2 ? (((x - 5) * x + 8) * x - 4) * A : 0;
}

/** In Pillow's order of operations. */
const filters: Readonly<Record<Interpolation, Filter>> = {
  bilinear: { reach: 1, weight: (x) => Math.max(0, 1 - Math.abs(x)) },
  bicubic: { reach: 2, weight: cubic },
};

/**
 * Opens scaling of a box of images of one shape to another. The filter is as wide as a pixel of the target where an image
 * becomes smaller; pixels outside the box have no part. Columns first, rounded to whole numbers, then rows.
 *
 * @param options.interpolation - Default: `bilinear`.
 * @param options.window - the part of the target that is computed. Default: all of it.
 */
export function openResample(
  [, width, channels]: Shape,
  [outHeight, outWidth]: Shape,
  {
    interpolation = 'bilinear',
    window = { top: 0, left: 0, height: outHeight, width: outWidth },
  }: { interpolation?: Interpolation | undefined; window?: Box } = {},
): Resample {
  const filter = filters[interpolation];
  const columns = createTaps(filter, outWidth, window.left, window.width);
  const rows = createTaps(filter, outHeight, window.top, window.height);
  const outRow = window.width * channels;
  const scaleRows = channels === 3 ? scaleRowsOf3 : scaleRowsOf(channels);
  // Rows of whole words: four bytes are read, and written, at once.
  const rowWords = Math.ceil(outRow / 4);
  const row = new Uint32Array(rowWords);
  const rowBytes = new Uint8Array(row.buffer, 0, outRow);
  let across = new Uint32Array(0);
  let acrossBytes = new Uint8ClampedArray(across.buffer);
  return (source, from, box, target, to) => {
    const horizontal = columns.place(box.width);
    const vertical = rows.place(box.height);
    const first = vertical.first[0]!;
    const needed = vertical.first[window.height - 1]! + vertical.count[window.height - 1]! - first;
    if (across.length < needed * rowWords) {
      across = new Uint32Array(needed * rowWords);
      acrossBytes = new Uint8ClampedArray(across.buffer);
    }
    const top = box.top + first;
    for (let y = 0; y < needed; y += ROWS) {
      const read = { bytes: source, at: from + ((top + y) * width + box.left) * channels, row: width * channels };
      const write = { bytes: acrossBytes, at: y * rowWords * 4, row: rowWords * 4 };
      scaleRows(read, write, Math.min(ROWS, needed - y), horizontal);
    }
    for (let y = 0; y < window.height; y++) {
      blendRows(across, row, vertical, y);
      target.set(rowBytes, to + y * outRow);
    }
  };
}

/** Which pixels of an axis go into each pixel of the target, and how much. */
interface Taps {
  /** `[length]`. */
  first: Int32Array;
  /** `[length]`. */
  count: Int32Array;
  /** `[length × width]`, in units of 2^−{@link BITS}. */
  weights: Int32Array;
  /** Taps of a pixel at most. */
  width: number;
  /** Whether no weight is negative: a weighted sum is then within 0…255. */
  isConvex: boolean;
}

/** Rows of pixels: where the first begins, and how far the next is. */
interface Rows<Bytes extends Uint8Array | Uint8ClampedArray = Uint8Array> {
  bytes: Bytes;
  at: number;
  row: number;
}

type ScaleRows = (source: Rows, target: Rows<Uint8ClampedArray>, rows: number, taps: Taps) => void;

/** Rows of images of `channels` channels, scaled. */
const scaleRowsOf =
  (channels: number): ScaleRows =>
  (source, target, rows, { first, count, weights, width }) => {
    const { bytes } = source;
    for (let x = 0; x < first.length; x++) {
      const end = x * width + count[x]!;
      for (let c = 0; c < channels; c++) {
        let from = source.at + first[x]! * channels + c;
        let to = target.at + x * channels + c;
        for (let y = 0; y < rows; y++, from += source.row, to += target.row) {
          let sum = HALF;
          for (let i = x * width, at = from; i < end; i++, at += channels) sum += weights[i]! * bytes[at]!;
          target.bytes[to] = sum >> BITS;
        }
      }
    }
  };

/** The same of three channels at once; where an image is enlarged, all pixels but the outermost have two taps. */
const scaleRowsOf3: ScaleRows = (source, target, rows, { first, count, weights, width }) => {
  const { bytes: pixels, row } = source;
  const { bytes: out, row: outRow } = target;
  for (let x = 0; x < first.length; x++) {
    let from = source.at + first[x]! * 3;
    let to = target.at + x * 3;
    const begin = x * width;
    const end = begin + count[x]!;
    if (count[x] === 2) {
      const near = weights[begin]!;
      const far = weights[begin + 1]!;
      for (let y = 0; y < rows; y++, from += row, to += outRow) {
        out[to] = blend(near, pixels[from]!, far, pixels[from + 3]!);
        out[to + 1] = blend(near, pixels[from + 1]!, far, pixels[from + 4]!);
        out[to + 2] = blend(near, pixels[from + 2]!, far, pixels[from + 5]!);
      }
      continue;
    }
    for (let y = 0; y < rows; y++, from += row, to += outRow) {
      let red = HALF;
      let green = HALF;
      let blue = HALF;
      for (let i = begin, at = from; i < end; i++, at += 3) {
        const weight = weights[i]!;
        red = (red + Math.imul(weight, pixels[at]!)) | 0;
        green = (green + Math.imul(weight, pixels[at + 1]!)) | 0;
        blue = (blue + Math.imul(weight, pixels[at + 2]!)) | 0;
      }
      out[to] = red >> BITS;
      out[to + 1] = green >> BITS;
      out[to + 2] = blue >> BITS;
    }
  }
};

const blend = (near: number, a: number, far: number, b: number): number =>
  (HALF + Math.imul(near, a) + Math.imul(far, b)) >> BITS;

/** Row `y` of the target: a weighted sum of rows of `target.length` words of four bytes, the first of which is `first[0]`. */
function blendRows(source: Uint32Array, target: Uint32Array, taps: Taps, y: number): void {
  const { first, count, weights, width, isConvex } = taps;
  const { length } = target;
  const from = (first[y]! - first[0]!) * length;
  const begin = y * width;
  const end = begin + count[y]!;
  if (count[y] === 2 && isConvex) {
    const near = weights[begin]!;
    const far = weights[begin + 1]!;
    for (let x = 0; x < length; x++) {
      const p = source[from + x]!;
      const q = source[from + length + x]!;
      target[x] =
        blend(near, p & 255, far, q & 255) |
        (blend(near, (p >>> 8) & 255, far, (q >>> 8) & 255) << 8) |
        (blend(near, (p >>> 16) & 255, far, (q >>> 16) & 255) << 16) |
        (blend(near, p >>> 24, far, q >>> 24) << 24);
    }
    return;
  }
  for (let x = 0; x < length; x++) {
    let a = HALF;
    let b = HALF;
    let c = HALF;
    let d = HALF;
    for (let i = begin, at = from + x; i < end; i++, at += length) {
      const weight = weights[i]!;
      const word = source[at]!;
      a = (a + Math.imul(weight, word & 255)) | 0;
      b = (b + Math.imul(weight, (word >>> 8) & 255)) | 0;
      c = (c + Math.imul(weight, (word >>> 16) & 255)) | 0;
      d = (d + Math.imul(weight, word >>> 24)) | 0;
    }
    target[x] = isConvex
      ? (a >> BITS) | ((b >> BITS) << 8) | ((c >> BITS) << 16) | ((d >> BITS) << 24)
      : byte(a) | (byte(b) << 8) | (byte(c) << 16) | (byte(d) << 24);
  }
}

function byte(sum: number): number {
  const value = sum >> BITS;
  return value < 0 ? 0 : value > 255 ? 255 : value;
}

/** Taps of pixels `begin` to `begin + length` of an axis of the target, which has `whole` of them. */
function createTaps(filter: Filter, whole: number, begin: number, length: number) {
  const taps: Taps = {
    first: new Int32Array(length),
    count: new Int32Array(length),
    weights: new Int32Array(0),
    width: 0,
    isConvex: true,
  };
  let placed = 0;
  return {
    /** The taps of an axis of `size` pixels; valid until the next call. */
    place(size: number): Taps {
      if (placed === size) return taps;
      placed = size;
      const scale = size / whole;
      const stretch = Math.max(1, scale);
      const reach = filter.reach * stretch;
      const perPixel = 1 / stretch;
      const width = 2 * Math.ceil(reach) + 1;
      if (taps.weights.length < length * width) taps.weights = new Int32Array(length * width);
      taps.width = width;
      taps.isConvex = true;
      const own = new Float64Array(width);
      for (let i = 0; i < length; i++) {
        const centre = (begin + i + 0.5) * scale;
        const first = Math.max(0, Math.trunc(centre - reach + 0.5));
        const count = Math.min(size, Math.trunc(centre + reach + 0.5)) - first;
        let sum = 0;
        for (let k = 0; k < count; k++) {
          own[k] = filter.weight((k + first - centre + 0.5) * perPixel);
          sum += own[k]!;
        }
        taps.first[i] = first;
        taps.count[i] = count;
        for (let k = 0; k < count; k++) {
          const weight = (own[k]! / sum) * 2 ** BITS;
          taps.weights[i * width + k] = Math.trunc(weight + (weight < 0 ? -0.5 : 0.5));
          if (weight < 0) taps.isConvex = false;
        }
      }
      return taps;
    },
  };
}
