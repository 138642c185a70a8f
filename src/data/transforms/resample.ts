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

/**
 * Opens bilinear scaling with anti-aliasing of a box of images of one shape to another: the triangle filter of Pillow and
 * of torchvision with `antialias`, as wide as a pixel of the target; pixels outside the box have no part.
 */
export function openResample([, width, channels]: Shape, [outHeight, outWidth]: Shape): Resample {
  const columns = createTaps(outWidth);
  const rows = createTaps(outHeight);
  let across = new Float32Array(0);
  return (source, from, box, target, to) => {
    columns.place(box.width);
    rows.place(box.height);
    const outRow = outWidth * channels;
    if (across.length < box.height * outRow) across = new Float32Array(box.height * outRow);
    for (let y = 0; y < box.height; y++) {
      const row = from + ((box.top + y) * width + box.left) * channels;
      for (let x = 0; x < outWidth; x++) {
        const first = columns.first[x]!;
        const count = columns.count[x]!;
        for (let c = 0; c < channels; c++) {
          let sum = 0;
          let at = row + first * channels + c;
          for (let i = 0; i < count; i++, at += channels) sum += columns.weights[x * columns.width + i]! * source[at]!;
          across[y * outRow + x * channels + c] = sum;
        }
      }
    }
    for (let y = 0; y < outHeight; y++) {
      const first = rows.first[y]! * outRow;
      const count = rows.count[y]!;
      for (let x = 0; x < outRow; x++) {
        let sum = 0.5;
        for (let i = 0; i < count; i++) sum += rows.weights[y * rows.width + i]! * across[first + i * outRow + x]!;
        target[to + y * outRow + x] = sum;
      }
    }
  };
}

/** Which pixels of an axis go into each of `length` pixels of the target, and how much. */
function createTaps(length: number) {
  const first = new Int32Array(length);
  const count = new Int32Array(length);
  let weights = new Float32Array(0);
  let width = 0;
  let placed = 0;
  return {
    first,
    count,
    get weights() {
      return weights;
    },
    /** Taps of a pixel at most. */
    get width() {
      return width;
    },
    place(size: number): void {
      if (placed === size) return;
      placed = size;
      const scale = size / length;
      const reach = Math.max(1, scale);
      width = 2 * Math.ceil(reach) + 1;
      if (weights.length < length * width) weights = new Float32Array(length * width);
      for (let i = 0; i < length; i++) {
        const centre = (i + 0.5) * scale;
        const begin = Math.max(0, Math.floor(centre - reach + 0.5));
        const end = Math.min(size, Math.floor(centre + reach + 0.5));
        let sum = 0;
        for (let at = begin; at < end; at++) sum += triangle((at + 0.5 - centre) / reach);
        first[i] = begin;
        count[i] = end - begin;
        for (let at = begin; at < end; at++)
          weights[i * width + at - begin] = triangle((at + 0.5 - centre) / reach) / sum;
      }
    },
  };
}

const triangle = (x: number): number => Math.max(0, 1 - Math.abs(x));
