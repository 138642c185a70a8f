/**
 * Pixels of a picture → pixels for the network, as training had them. Plain JavaScript without dependencies: with what it
 * imports it lies next to an exported model as `preprocess.mjs`, with `preprocessing.json`, which says what to do.
 */

import { centreOf, coveringSize, type Sides, scaleWindow } from '../data/transforms/photo.ts';
import type { Interpolation } from '../data/transforms/resample.ts';

/** `preprocessing.json`. */
export interface Preprocessing {
  version: 2;
  /** Whether the EXIF orientation of a picture is honoured; a decoder that has turned it already passes none. */
  exif: 'honour' | 'ignore';
  /** Colours are those of sRGB: a decoder converts an embedded ICC profile, as browsers do. */
  colour: 'srgb';
  /** `[height, width]` that a picture is scaled to cover. */
  cover: Sides;
  /** Filter of the scaling, as Pillow has it, with anti-aliasing. */
  interpolation: Interpolation;
  /** `[height, width, channels]` of the network's input: the centre of the scaled picture. */
  shape: readonly [number, number, number];
  /** What the model does itself, not `preprocess`: (pixel / 255 − mean) / std, per channel. */
  normalisation: { where: 'model'; mean: readonly number[]; std: readonly number[] };
}

/** A decoded picture, 8 bits a channel: `ImageData` of a browser, or what a decoder gives. */
export interface Picture {
  data: Uint8Array | Uint8ClampedArray;
  width: number;
  height: number;
  /** 4: RGBA, of which A is ignored (default); 3: RGB; 1: grey. */
  channels?: number;
  /** EXIF orientation, 1 to 8; default 1. Leave it out where the decoder has turned the picture, as browsers do. */
  orientation?: number;
}

/**
 * Turns, scales and crops a picture.
 *
 * @param picture - as decoded
 * @param preprocessing - content of `preprocessing.json`; `normalisation` is left to the model
 * @returns `[height × width × channels]` of `preprocessing.shape`, 0…255
 */
export function preprocess(
  picture: Picture,
  preprocessing: Omit<Preprocessing, 'version' | 'normalisation'>,
): Uint8Array {
  const { exif, cover, interpolation, shape } = preprocessing;
  const { data, height, width } = turned(rgb(picture), exif === 'honour' ? (picture.orientation ?? 1) : 1);
  const [outHeight, outWidth, channels] = shape;
  const scaled = coveringSize([height, width], cover);
  const place = { scaled, top: centreOf(scaled[0], outHeight), left: centreOf(scaled[1], outWidth) };
  const out = scaleWindow(data, [height, width], place, [outHeight, outWidth], interpolation);
  return channels === 3 ? out : out.filter((_, i) => i % 3 === 0);
}

interface Rgb {
  data: Uint8Array;
  width: number;
  height: number;
}

function rgb({ data, width, height, channels = 4 }: Picture): Rgb {
  if (data.length !== width * height * channels) {
    throw new Error(
      `preprocess: expected ${width * height * channels} values (${width} x ${height} x ${channels}); got ${data.length}.`,
    );
  }
  const out = new Uint8Array(width * height * 3);
  for (let i = 0; i < width * height; i++) {
    for (let c = 0; c < 3; c++) out[3 * i + c] = data[i * channels + (channels < 3 ? 0 : c)]!;
  }
  return { data: out, width, height };
}

/** A picture as its EXIF orientation says (CIPA DC-008, tag 274). */
function turned({ data, width, height }: Rgb, orientation: number): Rgb {
  if (orientation < 2 || orientation > 8) return { data, width, height };
  const swaps = orientation > 4;
  const [w, h] = swaps ? [height, width] : [width, height];
  const mirrorsX = [2, 3, 7, 8].includes(orientation);
  const mirrorsY = [3, 4, 6, 7].includes(orientation);
  const out = new Uint8Array(data.length);
  for (let y = 0; y < h; y++) {
    for (let x = 0; x < w; x++) {
      const [column, row] = swaps ? [y, x] : [x, y];
      const from = ((mirrorsY ? height - 1 - row : row) * width + (mirrorsX ? width - 1 - column : column)) * 3;
      const to = (y * w + x) * 3;
      for (let c = 0; c < 3; c++) out[to + c] = data[from + c]!;
    }
  }
  return { data: out, width: w, height: h };
}
