import { createHash } from 'node:crypto';
import { readdirSync, statSync } from 'node:fs';
import { mkdtemp, open, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { packingText } from '../../src/cli/stage-progress.ts';
import { identityOf } from '../../src/data/identity.ts';
import { inspectData } from '../../src/data/inspect/inspect.ts';
import { loadData } from '../../src/data/load-data.ts';
import { createLoader } from '../../src/data/loader/loader.ts';
import { type DataInput, dataOptions } from '../../src/data/options.ts';
import { openPacked, type Packed } from '../../src/data/packed/packed.ts';
import { splitSteps } from '../../src/data/sampler.ts';
import type { LoadedData, ReadProgress, Split } from '../../src/data/types.ts';
import { createTrainer } from '../../src/index.ts';
import { messageOfError } from '../support/message.ts';
import { skewedPhotos } from '../support/skewed-photos.ts';
import { temporaryFolder } from '../support/temporary.ts';

const shape = [24, 24, 3] as const;
let root: string;
let fileBytes = 0;

/** JPEGs of two dozen sizes, one that is turned by its EXIF orientation, a PNG with transparency, one that is none. */
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'tailmix-test-'));
  await skewedPhotos(root, { bee: 14, wasp: 9, 'old oak': 6, newt: 4 });
  const photo = join(root, 'bee/0.jpg');
  await sharp(await readFile(photo))
    .withMetadata({ orientation: 6 })
    .toFile(join(root, 'bee/turned.jpg'));
  await sharp(await readFile(photo))
    .ensureAlpha(0.5)
    .png()
    .toFile(join(root, 'bee/clear.png'));
  await writeFile(join(root, 'newt/broken.jpg'), 'no image');
  for (const name of readdirSync(root, { recursive: true, withFileTypes: true })) {
    if (/\.(jpg|png)$/.test(name.name)) fileBytes += statSync(join(name.parentPath, name.name)).size;
  }
});
afterAll(() => rm(root, { recursive: true, force: true }));

const options = (input: Partial<DataInput> = {}) =>
  dataOptions.parse({
    name: 'image-folder',
    root,
    imageSize: 24,
    onCorrupt: 'skip',
    split: { validation: 0.2, test: 0.2 },
    augment: [{ name: 'pad-crop' }, { name: 'flip' }],
    ...input,
  });

const opened = async (input: Partial<DataInput>, onProgress: ReadProgress = () => {}) => {
  const cache = await temporaryFolder();
  return { cache, data: await loadData(options(input), { cache, onProgress }) };
};

/** SHA-256 of what a loader gives of a split. */
async function digestOf({ augment }: LoadedData, split: Split, workers: number): Promise<string> {
  const loader = createLoader({ shape, augment, seed: 3, workers });
  const order = Int32Array.from({ length: split.labels.length * 2 }, (_, i) => (i * 11) % split.labels.length);
  const hash = createHash('sha256');
  try {
    for await (const rows of loader.load(split, splitSteps(order, 20), 2, true)) {
      hash.update(rows.images).update(rows.labels);
      rows.release();
    }
  } finally {
    await loader.close();
  }
  return hash.digest('hex');
}

describe('a packed file that keeps image files', () => {
  test('gives the images of one that holds pixels, with any number of workers, from memory and from disk', async () => {
    const [pixels, files] = await Promise.all([opened({}), opened({ pack: 'files' })]);
    const expected = await digestOf(pixels.data, pixels.data.train.split, 1);
    const { split } = files.data.train;
    expect(pixels.data.train.split.pixels.encoded).toBeUndefined();
    expect(split.pixels.encoded).toMatchObject({ resize: { interpolation: 'bilinear' }, exif: 'honour' });
    for (const workers of [0, 2]) expect(await digestOf(files.data, split, workers)).toEqual(expected);
    const onDisk = { ...split, pixels: { ...(await fromDisk(files.cache)).pixels, shape } };
    expect(onDisk.pixels.kind).toBe('file');
    expect(await digestOf(files.data, onDisk, 1)).toEqual(expected);
    expect(identityOf(files.data)).toEqual(identityOf(pixels.data));
    expect(files.data.skipped).toEqual([join(root, 'newt/broken.jpg')]);
  });

  test('gives the same run to the bit', async () => {
    const run = async (data: LoadedData) => {
      const { snapshot } = await createTrainer({
        name: 'packed',
        seed: 5,
        backend: 'wasm',
        data,
        model: { name: 'small-cnn' },
        train: { epochs: 2, batchSize: 8 },
      }).run();
      const { state, data: identity, history } = snapshot!;
      return { state, identity, losses: history.map(({ train }) => train) };
    };
    const [pixels, files] = [await opened({}), await opened({ pack: 'files' })];
    expect(await run(files.data)).toEqual(await run(pixels.data));
  }, 60_000);

  test('is as large as its files, and says so before it is made', async () => {
    const told: string[] = [];
    const once: ReadProgress = (progress) => {
      if (progress.done === 1) told.push(packingText(progress).replace(root, '…'));
    };
    const { cache } = await opened({ pack: 'files' }, once);
    await opened({ imageSize: 1000 }, once);
    await opened({ imageSize: 100 }, once);
    const size = `${Math.round(fileBytes / 1000)} kB`;
    expect(told).toEqual([
      `packing …: 36 images, ${size} in the cache folder`,
      `packing …: 36 images, 108 MB in the cache folder (data.pack: files needs ${size}, and is slower)`,
      'packing …: 36 images, 1.1 MB in the cache folder',
    ]);
    const [name] = await readdir(cache);
    expect(statSync(join(cache, name!)).size - fileBytes).toBeLessThan(4096 + 3000);
  });

  test('tells of an image that was changed, by its checksum or because it is none any more', async () => {
    const { cache, data } = await opened({ pack: 'files' });
    const { pixels } = await fromDisk(cache);
    const { path, starts } = pixels.encoded!;
    const split = { ...data.train.split, pixels: { ...pixels, shape } };
    const change = async (at: number, byte: number): Promise<void> => {
      const file = await open(path, 'r+');
      await file.write(Buffer.of(byte), 0, 1, 4096 + at);
      await file.close();
    };
    const told = `${path}: expected image 3 as it was packed; its checksum differs. The file was changed or damaged: delete it, and it will be made anew.`;
    const inside = Math.round(starts[3]! / 4 + (3 * starts[4]!) / 4);
    const before = (await readFile(path))[4096 + inside]!;
    await change(inside, before ^ 0x10);
    expect(await messageOfError(() => digestOf(data, split, 1))).toBe(told);
    await change(inside, before);
    await change(starts[3]!, 0);
    for (const workers of [0, 1]) expect(await messageOfError(() => digestOf(data, split, workers))).toBe(told);
    const again = await loadData(options({ pack: 'files' }), { cache });
    expect(await digestOf(again, again.train.split, 0)).toEqual(await digestOf(data, data.train.split, 0));
  });

  test('is looked at as any other', async () => {
    const [pixels, files] = await Promise.all(
      [options(), options({ pack: 'files' })].map(async (own) => inspectData(own, { cache: await temporaryFolder() })),
    );
    expect([files!.read!.mean, files!.read!.std]).toEqual([pixels!.read!.mean, pixels!.read!.std]);
    expect(files!.read!.duplicates).toEqual(pixels!.read!.duplicates);
  });
});

/** The packed file of a folder, as a large one is opened. */
async function fromDisk(cache: string): Promise<Packed> {
  const [name] = await readdir(cache);
  const path = join(cache, name!);
  const bytes = await readFile(path);
  const metadata = bytes.subarray(bytes.length - 52 - bytes.readUInt32LE(bytes.length - 52), bytes.length - 52);
  const { key } = JSON.parse(metadata.toString()) as { key: string };
  return (await openPacked(path, key, 0))!;
}
