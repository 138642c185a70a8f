import { createHash } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach } from 'vitest';
import { createLoader, type LoaderOptions } from '../../../src/data/loader/loader.ts';
import { splitSteps } from '../../../src/data/sampler.ts';
import type { Loader, PixelSource, Split } from '../../../src/data/types.ts';
import { temporaryFolder } from '../../support/temporary.ts';

export const shape = [6, 5, 3] as const;
export const BYTES = 90;
export const ROWS = 60;
export const augment = [
  { name: 'pad-crop', padding: 2 },
  { name: 'flip', probability: 0.5 },
] as const;

export const images = Uint8Array.from({ length: ROWS * BYTES }, (_, i) => 1 + ((i * 31 + (i >> 5)) % 255));

export function inMemory(): PixelSource {
  const bytes = new SharedArrayBuffer(images.length);
  new Uint8Array(bytes).set(images);
  return { kind: 'memory', bytes };
}

/** A file with 7 bytes before image 0. */
export async function onDisk(): Promise<PixelSource & { kind: 'file' }> {
  const path = join(await temporaryFolder(), 'images');
  await writeFile(path, [new Uint8Array(7), images]);
  return { kind: 'file', path, offset: 7 };
}

export const splitOf = (pixels: PixelSource): Split => ({
  name: 'train',
  labels: Int32Array.from({ length: ROWS }, (_, row) => row % 7),
  pixels,
});

const order = Int32Array.from({ length: 47 }, (_, i) => (i * 13) % ROWS);
export const steps = splitSteps(order, 5);

const loaders: Loader[] = [];
/** A loader that is closed after the test. */
export function make(options: Partial<LoaderOptions> = {}): Loader {
  const loader = createLoader({ shape, augment, seed: 3, workers: 1, ...options });
  loaders.push(loader);
  return loader;
}
afterEach(async () => {
  for (const loader of loaders.splice(0)) await loader.close();
});

/** SHA-256 over all rows and labels of an epoch. */
export async function digest(loader: Loader, split: Split, epoch = 1, augmented = true): Promise<string> {
  const hash = createHash('sha256');
  for await (const rows of loader.load(split, steps, epoch, augmented)) {
    hash.update(rows.images).update(rows.labels);
    rows.release();
  }
  return hash.digest('hex');
}
