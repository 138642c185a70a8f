import { createHash } from 'node:crypto';
import { yieldToEventLoop } from '../../util/event-loop.ts';
import { openFiller } from '../loader/fill.ts';
import type { Part } from '../split.ts';
import type { Shape } from '../transforms/augment.ts';
import type { Split, Subset } from '../types.ts';

/** Bytes read at once. */
const CHUNK = 2 ** 24;

/** Rows of each part that have the same pixels, ascending: at least two in all. */
export type Twins = Record<Part, number[]>;

/** The parts of a data set: rows of its splits. */
export type ScannedParts = Record<Part, Pick<Subset, 'split' | 'indices'> | null>;

/** What a look at every pixel gives. */
export interface Scan {
  /** All sets of equal images, in the order of their first rows, those with a training image first. */
  twins: Twins[];
  /** Per channel, of all training pixels scaled to 0…1. */
  mean: number[];
  /** Population standard deviation, as {@link mean}. */
  std: number[];
}

/**
 * Reads every image of all parts once: which have the same pixels, and mean and deviation of the training images. Of
 * an image SHA-256 of its pixels is kept, so that the set may be larger than memory.
 *
 * @param shape - of images whose split names no other; larger ones that are packed are compared as they are packed
 * @param onProgress - called with the images read and their number
 */
export async function scanImages(
  parts: ScannedParts,
  shape: Shape,
  onProgress: (done: number, total: number) => void = () => {},
): Promise<Scan> {
  const channels = shape[2];
  const seen = new Map<string, Twins>();
  const [sum, squares] = [new Array<number>(channels).fill(0), new Array<number>(channels).fill(0)];
  const scanned = PARTS.flatMap((name) => {
    const part = parts[name];
    return part ? [{ name, split: part.split, rows: part.indices.toSorted() }] : [];
  });
  const total = scanned.reduce((count, { rows }) => count + rows.length, 0);
  let done = 0;
  for (const { name, split, rows } of scanned) {
    for await (const { row, image } of eachImage(split, shape, rows)) {
      if (name === 'train') addTo(sum, squares, image, channels);
      const hash = createHash('sha256').update(image).digest('base64');
      const twins = seen.get(hash);
      if (twins) twins[name].push(row);
      else seen.set(hash, { train: [], validation: [], test: [], [name]: [row] });
      if (++done % 1000 === 0 || done === total) onProgress(done, total);
    }
  }
  const { train } = parts;
  const [height, width] = train?.split.pixels.shape ?? shape;
  const values = ((train?.indices.length ?? 0) * height * width || 1) * 255;
  const mean = sum.map((value) => value / values);
  return {
    twins: [...seen.values()].filter((twins) => PARTS.reduce((count, name) => count + twins[name].length, 0) > 1),
    mean,
    std: squares.map((value, c) => Math.sqrt(Math.max(0, value / (values * 255) - mean[c]! ** 2))),
  };
}

const PARTS: readonly Part[] = ['train', 'validation', 'test'];

/** Images of a split in the order of `wanted`; the bytes are overwritten by later ones. */
async function* eachImage(
  split: Split,
  standard: Shape,
  wanted: Int32Array,
): AsyncGenerator<{ row: number; image: Uint8Array }> {
  const shape = split.pixels.shape ?? standard;
  const bytes = shape[0] * shape[1] * shape[2];
  const count = wanted.length;
  const rows = Math.min(count, Math.max(1, Math.floor(CHUNK / bytes)));
  const chunk = new Uint8Array(rows * bytes);
  const filler = openFiller({ pixels: split.pixels, shape, transforms: [], seed: 0, epoch: 0 });
  try {
    for (let first = 0; first < count; first += rows) {
      const indices = wanted.slice(first, first + rows);
      await filler.fill({ indices, positions: indices }, chunk);
      for (let i = 0; i < indices.length; i++)
        yield { row: indices[i]!, image: chunk.subarray(i * bytes, (i + 1) * bytes) };
      await yieldToEventLoop();
    }
  } finally {
    filler.close();
  }
}

/** Sums of whole numbers: exact up to 2^53, which is more than 10^11 pixels. */
function addTo(sum: number[], squares: number[], image: Uint8Array, channels: number): void {
  for (let c = 0; c < channels; c++) {
    let [own, ownSquares] = [0, 0];
    for (let i = c; i < image.length; i += channels) {
      const value = image[i]!;
      own += value;
      ownSquares += value * value;
    }
    sum[c]! += own;
    squares[c]! += ownSquares;
  }
}

/** Reads rows of a split: `[rows, height, width, channels]`, one array an image. */
export async function readRows(split: Split, shape: Shape, rows: ArrayLike<number>): Promise<Uint8Array[]> {
  const bytes = shape[0] * shape[1] * shape[2];
  const indices = Int32Array.from(rows);
  const pixels = new Uint8Array(indices.length * bytes);
  const filler = openFiller({ pixels: split.pixels, shape, transforms: [], seed: 0, epoch: 0 });
  try {
    await filler.fill({ indices, positions: indices }, pixels);
  } finally {
    filler.close();
  }
  return Array.from(indices, (_, i) => pixels.subarray(i * bytes, (i + 1) * bytes));
}
