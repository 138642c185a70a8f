import { createHash } from 'node:crypto';
import { yieldToEventLoop } from '../../util/event-loop.ts';
import { openFiller } from '../loader/fill.ts';
import type { Shape } from '../transforms/augment.ts';
import type { Split } from '../types.ts';

/** Bytes read at once. */
const CHUNK = 2 ** 24;

/** Rows of one split, or of both, that have the same pixels: at least two. */
export interface Twins {
  /** Rows of the training split, ascending. */
  train: number[];
  /** Rows of the test split, ascending. */
  test: number[];
}

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
 * Reads every image of both splits once: which have the same pixels, and mean and deviation of the training images. Of
 * an image SHA-256 of its pixels is kept, so that the set may be larger than memory.
 *
 * @param shape - of images whose split names no other; larger ones that are packed are compared as they are packed
 * @param onProgress - called with the images read and their number
 */
export async function scanImages(
  { train, test }: { train: Split; test: Split },
  shape: Shape,
  onProgress: (done: number, total: number) => void = () => {},
): Promise<Scan> {
  const channels = shape[2];
  const seen = new Map<string, Twins>();
  const [sum, squares] = [new Array<number>(channels).fill(0), new Array<number>(channels).fill(0)];
  const total = train.labels.length + test.labels.length;
  let done = 0;
  for (const [name, split] of [
    ['train', train],
    ['test', test],
  ] as const) {
    for await (const { row, image } of eachImage(split, shape)) {
      if (name === 'train') addTo(sum, squares, image, channels);
      const hash = createHash('sha256').update(image).digest('base64');
      const twins = seen.get(hash);
      if (twins) twins[name].push(row);
      else seen.set(hash, { train: [], test: [], [name]: [row] });
      if (++done % 1000 === 0 || done === total) onProgress(done, total);
    }
  }
  const [height, width] = train.pixels.shape ?? shape;
  const values = (train.labels.length * height * width || 1) * 255;
  const mean = sum.map((value) => value / values);
  return {
    twins: [...seen.values()].filter((rows) => rows.train.length + rows.test.length > 1),
    mean,
    std: squares.map((value, c) => Math.sqrt(Math.max(0, value / (values * 255) - mean[c]! ** 2))),
  };
}

/** The images of a split in row order; the bytes are overwritten by later ones. */
async function* eachImage(split: Split, standard: Shape): AsyncGenerator<{ row: number; image: Uint8Array }> {
  const shape = split.pixels.shape ?? standard;
  const bytes = shape[0] * shape[1] * shape[2];
  const count = split.labels.length;
  const rows = Math.min(count, Math.max(1, Math.floor(CHUNK / bytes)));
  const chunk = new Uint8Array(rows * bytes);
  const filler = openFiller({ pixels: split.pixels, shape, transforms: [], seed: 0, epoch: 0 });
  try {
    for (let first = 0; first < count; first += rows) {
      const indices = Int32Array.from({ length: Math.min(rows, count - first) }, (_, i) => first + i);
      filler.fill({ indices, positions: indices }, chunk);
      for (let i = 0; i < indices.length; i++)
        yield { row: first + i, image: chunk.subarray(i * bytes, (i + 1) * bytes) };
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
export function readRows(split: Split, shape: Shape, rows: ArrayLike<number>): Uint8Array[] {
  const bytes = shape[0] * shape[1] * shape[2];
  const indices = Int32Array.from(rows);
  const pixels = new Uint8Array(indices.length * bytes);
  const filler = openFiller({ pixels: split.pixels, shape, transforms: [], seed: 0, epoch: 0 });
  try {
    filler.fill({ indices, positions: indices }, pixels);
  } finally {
    filler.close();
  }
  return Array.from(indices, (_, i) => pixels.subarray(i * bytes, (i + 1) * bytes));
}
