import { readdirSync } from 'node:fs';
import { symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import { describe, expect, test } from 'vitest';
import { inspectData } from '../../../src/data/inspect/inspect.ts';
import { scanImages } from '../../../src/data/inspect/scan.ts';
import { readImages } from '../../../src/data/load-data.ts';
import { type DataInput, dataOptions } from '../../../src/data/options.ts';
import { wholeOf } from '../../../src/data/subset.ts';
import type { DatasetImages } from '../../../src/data/types.ts';
import { picture, writePicture, writeTree } from '../../support/image-tree.ts';
import { temporaryFolder } from '../../support/temporary.ts';

/** Two classes, whose images all differ, and how to look at them. */
async function setUp(counts: Parameters<typeof writeTree>[1]) {
  const root = await temporaryFolder();
  const cache = await temporaryFolder();
  await writeTree(root, counts);
  const inspect = (input: Partial<DataInput> = {}, more = {}) =>
    inspectData(dataOptions.parse({ name: 'image-folder', root, ...input }), { cache, ...more });
  return { root, cache, inspect, at: (...parts: string[]) => join(root, ...parts) };
}

describe('duplicates', () => {
  test('none', async () => {
    const { inspect } = await setUp({ train: { a: 3, b: 2 }, test: { a: 1, b: 1 } });
    const { read, allCounts, trainCounts, testCounts } = await inspect();
    expect(read?.duplicates).toEqual({
      testInTrain: 0,
      validationInTrain: 0,
      withinTrain: 0,
      withinValidation: 0,
      withinTest: 0,
      acrossClasses: 0,
      sets: [],
    });
    expect({ allCounts, trainCounts, testCounts }).toEqual({
      allCounts: [3, 2],
      trainCounts: [3, 2],
      testCounts: [1, 1],
    });
  });

  test('between the splits, within one, under two classes, and with another file format', async () => {
    const { at, inspect } = await setUp({ train: { a: 2, b: 2 }, test: { a: 1, b: 1 } });
    // 100: twice in train under one class. 200: in train/a and test/b, and twice there. 300: two formats.
    for (const name of ['p', 'q']) await writePicture(at('train/b', `${name}.png`), 100);
    await writePicture(at('train/a/r.png'), 200);
    await writePicture(at('test/b/r.png'), 200);
    await symlink(at('test/b/r.png'), at('test/b/s.png'));
    await sharp(picture(300, 4, 5), { raw: { width: 5, height: 4, channels: 3 } })
      .tiff({ compression: 'deflate' })
      .toFile(at('train/a/t.tiff'));
    await writePicture(at('test/a/t.png'), 300);
    const { read } = await inspect();
    const { sets, ...counts } = read!.duplicates;
    expect(counts).toEqual({
      testInTrain: 3,
      validationInTrain: 0,
      withinTrain: 1,
      withinValidation: 0,
      withinTest: 1,
      acrossClasses: 1,
    });
    const files = sets.map((set) => set.map(({ file }) => file?.replace(at('/'), '')));
    expect(files).toEqual([
      ['train/a/r.png', 'test/b/r.png', 'test/b/s.png'],
      ['train/a/t.tiff', 'test/a/t.png'],
      ['train/b/p.png', 'train/b/q.png'],
    ]);
    expect(sets[0]![1]).toEqual({ split: 'test', row: 3, class: 'b', file: at('test/b/r.png') });
  });

  test('do not depend on whether the pixels are in memory, nor on how many are read at once', async () => {
    const { root, cache } = await setUp({ train: { a: 700, b: 2 }, test: { a: 5 } });
    const images = await readImages(dataOptions.parse({ name: 'image-folder', root }), { cache });
    expect(images.train.pixels.kind).toBe('memory');
    const steps: number[] = [];
    const whole = ({ train, test }: DatasetImages) => ({
      train: wholeOf(train, 2),
      validation: null,
      test: wholeOf(test!, 2),
    });
    const scan = await scanImages(whole(images), images.info.shape, (done) => steps.push(done));
    // Seeds a multiple of 256 apart give one picture (image-tree.ts); rows are sorted by name, as text.
    const names = Array.from({ length: 700 }, (_, seed) => String(seed)).sort();
    const zeros = names.flatMap((name, row) => (Number(name) % 256 === 0 ? [row] : []));
    expect(scan.twins[0]).toEqual({ train: zeros, validation: [], test: [] });
    expect(steps).toEqual([707]);
    const onDisk = await readImages(dataOptions.parse({ name: 'image-folder', root }), { cache });
    const [pack] = readdirSync(cache).filter((name) => name.startsWith('train-'));
    const file = { ...onDisk.train, pixels: { kind: 'file', path: join(cache, pack!), offset: 4096 } } as const;
    expect(await scanImages(whole({ ...onDisk, train: file }), images.info.shape)).toEqual(scan);
  });
});

test('images that are packed larger than the model takes are compared whole', async () => {
  const { at, inspect } = await setUp({ train: { a: 1 }, test: { a: 1 } });
  const white = picture(1, 8, 8).fill(255);
  const corner = white.slice().fill(0, 0, 3);
  for (const [path, pixels] of [
    [at('train/a/0.png'), white],
    [at('test/a/0.png'), corner],
  ] as const)
    await sharp(pixels, { raw: { width: 8, height: 8, channels: 3 } }).toFile(path);
  const { read } = await inspect({ imageSize: 4, packSize: 8 });
  expect(read!.duplicates.sets).toEqual([]);
  expect(read!.mean).toEqual([1, 1, 1]);
  expect(read!.parts.train!.split.pixels.shape).toEqual([8, 8, 3]);
});

test('mean and deviation are those of all training pixels', async () => {
  const { at, inspect } = await setUp({ train: { a: 0, b: 0 }, test: { a: 0, b: 1 } });
  const flat = (r: number, g: number, b: number, path: string) =>
    sharp({ create: { width: 5, height: 4, channels: 3, background: { r, g, b } } }).toFile(at(path));
  await flat(0, 100, 51, 'train/a/0.png');
  await flat(255, 100, 153, 'train/b/0.png');
  const { read } = await inspect();
  expect(read!.mean).toEqual([0.5, 100 / 255, 0.4]);
  expect(read!.std.map((value) => Number(value.toFixed(12)))).toEqual([0.5, 0, 0.2]);
});

describe('unreadable files', () => {
  test('are listed with their reasons, whatever onCorrupt says, and do not count', async () => {
    const { at, inspect } = await setUp({ train: { a: 3, b: 2 }, test: { a: 2 } });
    await writeFile(at('train/a/1.png'), 'no image');
    await writePicture(at('test/a/wide.png'), 9, 4, 50);
    for (const onCorrupt of ['error', 'skip'] as const) {
      const { read, allCounts, testCount } = await inspect({ onCorrupt });
      expect({ allCounts, testCount }).toEqual({ allCounts: [2, 2], testCount: 2 });
      expect(
        read!.unreadable.map(({ path, reason }) => [path.replace(at('/'), ''), reason.replace(at('/'), '')]),
      ).toMatchInlineSnapshot(`
        [
          [
            "train/a/1.png",
            "train/a/1.png: expected a readable image; got "something else than JPEG, PNG, WebP, TIFF, GIF or AVIF". Replace the file, or set data.onCorrupt to skip.",
          ],
          [
            "test/a/wide.png",
            "test/a/wide.png: expected 4 x 5 pixels (height x width); got 4 x 50. Set data.imageSize (image-folder) to scale images, or data.onCorrupt to skip.",
          ],
        ]
      `);
      // Rows after a file that was left out still have their own names.
      expect(read!.parts.train!.split.files?.map((path) => path.replace(at('/'), ''))).toEqual([
        'train/a/0.png',
        'train/a/2.png',
        'train/b/0.png',
        'train/b/1.png',
      ]);
    }
  });

  test('all of a split: what is known without them', async () => {
    const { at, inspect } = await setUp({ train: { a: 3, b: 2 }, test: { a: 1 } });
    await writeFile(at('test/a/0.png'), 'no image');
    const { read, notRead, allCounts } = await inspect();
    expect({ read, allCounts }).toEqual({ read: null, allCounts: [3, 2] });
    expect(notRead).toBe(`${at('test')}: expected readable images; all 1 were skipped. Check the files.`);
  });

  test('where all are good, the packed file of a run serves', async () => {
    const { inspect } = await setUp({ train: { a: 1, b: 1 }, test: { a: 1 } });
    await inspect();
    const again: string[] = [];
    await inspect({}, { onProgress: ({ split }: { split: string }) => again.push(split) });
    expect(again).toEqual([]);
  });
});

test('a profile that leaves a class empty is told, and the images are looked at all the same', async () => {
  const { inspect } = await setUp({ train: { a: 3, b: 2 }, test: { a: 1 } });
  const report = await inspect({ profile: 'exp', ratio: 1000 });
  expect(report.trainCounts).toBeNull();
  expect(report.notDrawn).toMatch(/^data\.ratio: expected at most 3/);
  expect(report.read).toMatchObject({ train: null, duplicates: { sets: [] } });
});

test('without images: what is published, and where they are looked for', async () => {
  const root = await temporaryFolder();
  const { read, notRead, allCounts, trainCounts } = await inspectData(dataOptions.parse({ name: 'cifar10', root }));
  expect(read).toBeNull();
  expect(allCounts).toEqual(Array.from({ length: 10 }, () => 5000));
  expect(trainCounts).toEqual([5000, 2997, 1796, 1077, 645, 387, 232, 139, 83, 50]);
  expect(notRead?.replace(root, '…')).toMatchInlineSnapshot(
    `"data.root: expected "cifar10" as cifar-10-batches-bin/data_batch_1.bin or train/<class>/<image> under …; found neither. Set data.root, --data-root or TAILMIX_DATA."`,
  );
  const inat = await inspectData(dataOptions.parse({ name: 'inat2018', root }), { images: false });
  expect(inat).toMatchObject({ allCounts: { total: 437_513 }, trainCounts: null, read: null, notRead: null });
});
