import { createHash } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import { describe, expect, test, vi } from 'vitest';
import { context } from '../../src/cli/context.ts';
import { loadConfig } from '../../src/config/load.ts';
import { trainerOptions } from '../../src/config/trainer-options.ts';
import { rowShape } from '../../src/data/features.ts';
import { createLoader } from '../../src/data/loader/loader.ts';
import { readData } from '../../src/train/prepare.ts';
import reference from '../reference/resize.json' with { type: 'json' };
import { picture } from '../support/resize-picture.ts';
import { temporaryFolder } from '../support/temporary.ts';

const SIDE = 224;

/** Photos of test/reference/resize.json that an image size of 224 and a crop fraction make, as Pillow makes them. */
const casesOf = (cropFraction: number, interpolation: string) =>
  reference.evaluation.filter(
    ({ resize, crop, interpolation: own }) =>
      own === interpolation &&
      crop.join() === `${SIDE},${SIDE}` &&
      resize.every((side) => side === Math.floor(SIDE / cropFraction)),
  );

describe('what an ordinary run evaluates on has Pillow’s pixels: a resize, then the centre', () => {
  test.each([
    [0.875, 'bicubic', 2],
    [0.875, 'bilinear', 2],
    [0.9, 'bicubic', 1],
    [0.95, 'bicubic', 2],
    [1, 'bicubic', 1],
  ] as const)('cropFraction %d, %s', async (cropFraction, interpolation, count) => {
    const found = casesOf(cropFraction, interpolation);
    expect(found).toHaveLength(count);
    // A run has two classes.
    const cases = count === 1 ? [...found, ...found] : found;
    const folder = await temporaryFolder();
    vi.stubEnv('TAILMIX_CACHE', join(folder, 'cache'));
    for (const [i, { from }] of cases.entries()) {
      const [height, width] = from as [number, number];
      for (const place of [`photos/train/${i}`, `photos/test/${i}`]) {
        await mkdir(join(folder, place), { recursive: true });
        const image = sharp(picture(height, width), { raw: { height, width, channels: 3 } });
        await image.png().toFile(join(folder, place, 'a.png'));
      }
    }
    const config = join(folder, 'run.yaml');
    await writeFile(
      config,
      `data: { name: image-folder, root: ${JSON.stringify(join(folder, 'photos'))}, imageSize: ${SIDE}, cropFraction: ${cropFraction}, interpolation: ${interpolation} }
model: { name: small-cnn }
train: { epochs: 1 }
`,
    );
    const data = await readData(trainerOptions(await loadConfig([config], context)));
    const shape = rowShape(data.info);
    expect(shape).toEqual([SIDE, SIDE, 3]);
    for (const subset of [data.test, data.train]) {
      const loader = createLoader({ shape, augment: data.augment, mean: data.info.mean, seed: 0, workers: 1 });
      const steps = [{ indices: subset.indices, positions: subset.indices }];
      for await (const { images, release } of loader.load(subset.split, steps, 1, false)) {
        const hashes = cases.map((_, row) => {
          const pixels = new Uint8Array(images.buffer, images.byteOffset + row * SIDE * SIDE * 3, SIDE * SIDE * 3);
          return createHash('sha256').update(pixels).digest('hex');
        });
        expect(hashes).toEqual(cases.map(({ sha256 }) => sha256));
        release();
      }
      await loader.close();
    }
    vi.unstubAllEnvs();
  });
});
