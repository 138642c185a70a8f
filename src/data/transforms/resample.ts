import type { Shape } from './augment.ts';

/** A part of an image, in pixels. */
export interface Box {
  top: number;
  left: number;
  height: number;
  width: number;
}

/** Scales boxes of images; its buffers are its own. */
export type Resample = (source: Uint8Array, from: number, box: Box, target: Uint8Array, to: number) => void;

/** Weights are whole numbers of 2⁻²², as Pillow's are: 255 times their sum is below 2³¹. */
const BITS = 22;
const HALF = 1 << (BITS - 1);

/**
 * Opens bilinear scaling with anti-aliasing of a box of images of one shape to another: the triangle filter of Pillow and
 * of torchvision with `antialias`, as wide as a pixel of the target; pixels outside the box have no part. Columns first,
 * rounded to whole numbers, then rows.
 */
export function openResample([, width, channels]: Shape, [outHeight, outWidth]: Shape): Resample {
  const columns = createTaps(outWidth);
  const rows = createTaps(outHeight);
  const outRow = outWidth * channels;
  const scaleRow = channels === 3 ? scaleRowOf3 : scaleRowOf(channels);
  let across = new Uint8Array(0);
  return (source, from, box, target, to) => {
    const horizontal = columns.place(box.width);
    const vertical = rows.place(box.height);
    if (across.length < box.height * outRow) across = new Uint8Array(box.height * outRow);
    for (let y = 0; y < box.height; y++)
      scaleRow(source, from + ((box.top + y) * width + box.left) * channels, across, y * outRow, horizontal);
    for (let y = 0; y < outHeight; y++) blendRows(across, outRow, target, to + y * outRow, vertical, y);
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
}

type ScaleRow = (source: Uint8Array, from: number, target: Uint8Array, to: number, taps: Taps) => void;

/** A row of an image of `channels` channels, scaled. */
const scaleRowOf =
  (channels: number): ScaleRow =>
  (source, from, target, to, { first, count, weights, width }) => {
    for (let x = 0; x < first.length; x++) {
      for (let c = 0; c < channels; c++) {
        let sum = HALF;
        let at = from + first[x]! * channels + c;
        for (let i = x * width, end = i + count[x]!; i < end; i++, at += channels) sum += weights[i]! * source[at]!;
        target[to + x * channels + c] = sum >> BITS;
      }
    }
  };

/** The same of three channels at once. */
const scaleRowOf3: ScaleRow = (source, from, target, to, { first, count, weights, width }) => {
  for (let x = 0; x < first.length; x++) {
    let red = HALF;
    let green = HALF;
    let blue = HALF;
    let at = from + first[x]! * 3;
    for (let i = x * width, end = i + count[x]!; i < end; i++, at += 3) {
      const weight = weights[i]!;
      red = (red + Math.imul(weight, source[at]!)) | 0;
      green = (green + Math.imul(weight, source[at + 1]!)) | 0;
      blue = (blue + Math.imul(weight, source[at + 2]!)) | 0;
    }
    target[to] = red >> BITS;
    target[to + 1] = green >> BITS;
    target[to + 2] = blue >> BITS;
    to += 3;
  }
};

/** Row `y` of the target: a weighted sum of rows of `length` bytes. */
function blendRows(
  source: Uint8Array,
  length: number,
  target: Uint8Array,
  to: number,
  { first, count, weights, width }: Taps,
  y: number,
): void {
  const from = first[y]! * length;
  const taps = count[y]!;
  const own = y * width;
  for (let x = 0; x < length; x++) {
    let sum = HALF;
    for (let i = 0, at = from + x; i < taps; i++, at += length)
      sum = (sum + Math.imul(weights[own + i]!, source[at]!)) | 0;
    target[to + x] = sum >> BITS;
  }
}

function createTaps(length: number) {
  const taps: Taps = {
    first: new Int32Array(length),
    count: new Int32Array(length),
    weights: new Int32Array(0),
    width: 0,
  };
  let placed = 0;
  return {
    /** The taps of an axis of `size` pixels; valid until the next call. */
    place(size: number): Taps {
      if (placed === size) return taps;
      placed = size;
      const scale = size / length;
      const reach = Math.max(1, scale);
      const width = 2 * Math.ceil(reach) + 1;
      if (taps.weights.length < length * width) taps.weights = new Int32Array(length * width);
      taps.width = width;
      for (let i = 0; i < length; i++) {
        const centre = (i + 0.5) * scale;
        const begin = Math.max(0, Math.floor(centre - reach + 0.5));
        const end = Math.min(size, Math.floor(centre + reach + 0.5));
        let sum = 0;
        for (let at = begin; at < end; at++) sum += triangle((at + 0.5 - centre) / reach);
        taps.first[i] = begin;
        taps.count[i] = end - begin;
        for (let at = begin; at < end; at++)
          taps.weights[i * width + at - begin] = Math.round((2 ** BITS * triangle((at + 0.5 - centre) / reach)) / sum);
      }
      return taps;
    },
  };
}

const triangle = (x: number): number => Math.max(0, 1 - Math.abs(x));
