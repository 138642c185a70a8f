/**
 * Pixels of a picture → pixels for the network, as training had them. Plain JavaScript without dependencies: this file lies
 * next to an exported model as `preprocess.mjs`, with `preprocessing.json`, which says what to do.
 */

/** `preprocessing.json`. */
export interface Preprocessing {
  version: 1;
  /** Whether the EXIF orientation of a picture is honoured; a decoder that has turned it already passes none. */
  exif: 'honour' | 'ignore';
  /** Colours are those of sRGB: a decoder converts an embedded ICC profile, as browsers do. */
  colour: 'srgb';
  /** `[height, width]` that a picture is scaled to cover; its centre is cut out. */
  cover: readonly [number, number];
  /** `[height, width, channels]` of the network's input: the centre of that. */
  shape: readonly [number, number, number];
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

/** An axis of the target: which pixels of the source go into each of its pixels, and how much. */
interface Taps {
  first: number[];
  weights: number[][];
}

/**
 * Turns, scales and crops a picture.
 *
 * @param picture - as decoded
 * @param preprocessing - content of `preprocessing.json`
 * @returns `[height × width × channels]` of `preprocessing.shape`, 0…255
 */
export function preprocess(picture: Picture, preprocessing: Preprocessing): Uint8Array {
  const { exif, cover, shape } = preprocessing;
  const upright = turned(rgb(picture), exif === 'honour' ? (picture.orientation ?? 1) : 1);
  const [height, width, channels] = shape;
  const covered = scaleToCover(upright, cover);
  const top = Math.floor((cover[0] - height) / 2);
  const left = Math.floor((cover[1] - width) / 2);
  const out = new Uint8Array(height * width * channels);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const from = ((top + y) * cover[1] + left + x) * 3;
      for (let c = 0; c < channels; c++) out[(y * width + x) * channels + c] = covered[from + c]!;
    }
  }
  return out;
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

/**
 * Scales by one factor until the size is covered, and cuts out the centre. Bilinear with anti-aliasing in two steps: a mean
 * over n × n pixels, n the whole part of half the factor, then a triangle as wide as a pixel of the target.
 */
function scaleToCover({ data, width, height }: Rgb, [outHeight, outWidth]: readonly [number, number]): Uint8Array {
  const scale = Math.max(outWidth / width, outHeight / height);
  const columns = tapsOf(width, outWidth, scale);
  const rows = tapsOf(height, outHeight, scale);
  const across = new Float32Array(height * outWidth * 3);
  for (let x = 0; x < outWidth; x++) {
    const weights = columns.weights[x]!;
    for (let y = 0; y < height; y++) {
      let from = (y * width + columns.first[x]!) * 3;
      let [red, green, blue] = [0, 0, 0];
      for (let i = 0; i < weights.length; i++, from += 3) {
        red += weights[i]! * data[from]!;
        green += weights[i]! * data[from + 1]!;
        blue += weights[i]! * data[from + 2]!;
      }
      const to = (y * outWidth + x) * 3;
      across[to] = red;
      across[to + 1] = green;
      across[to + 2] = blue;
    }
  }
  const out = new Uint8Array(outHeight * outWidth * 3);
  for (let y = 0; y < outHeight; y++) {
    const weights = rows.weights[y]!;
    const first = rows.first[y]! * outWidth * 3;
    for (let x = 0; x < outWidth * 3; x++) {
      let sum = 0;
      for (let i = 0, at = first + x; i < weights.length; i++, at += outWidth * 3) sum += weights[i]! * across[at]!;
      out[y * outWidth * 3 + x] = Math.round(sum);
    }
  }
  return out;
}

function tapsOf(size: number, out: number, scale: number): Taps {
  const n = Math.max(1, Math.floor(1 / scale / 2));
  const factor = 1 / (scale * n);
  const reach = Math.max(1, factor);
  const whole = Math.round(size * scale);
  const crop = Math.ceil((whole - out) / 2);
  const blocks = Math.ceil(size / n);
  const taps: Taps = { first: [], weights: [] };
  for (let i = 0; i < out; i++) {
    const centre = (i + crop + 0.5) * factor + (size / n - whole * factor) / 2;
    const begin = Math.floor(centre - reach - 0.5);
    const end = Math.ceil(centre + reach + 0.5);
    const first = n * Math.min(blocks - 1, Math.max(0, begin));
    const weights = new Array<number>(Math.min(size, n * Math.min(blocks, Math.max(1, end))) - first).fill(0);
    let sum = 0;
    for (let at = begin; at < end; at++) {
      const weight = Math.max(0, 1 - Math.abs((at + 0.5 - centre) / reach));
      sum += weight;
      const block = n * Math.min(blocks - 1, Math.max(0, at));
      for (let k = 0; k < n; k++) weights[Math.min(size - 1, block + k) - first]! += weight / n;
    }
    taps.first.push(first);
    taps.weights.push(weights.map((weight) => weight / sum));
  }
  return taps;
}
