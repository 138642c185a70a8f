import { mkdir, open, readFile, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import sharp from 'sharp';
import { describe, expect, test } from 'vitest';
import { loadData, readImages } from '../../src/data/load-data.ts';
import { dataOptions } from '../../src/data/options.ts';
import { readCifarFiles } from '../../src/data/sets/cifar-binary.ts';
import { listClassFolders } from '../../src/data/sets/class-folders.ts';
import type { Split } from '../../src/data/types.ts';
import reference from '../reference/image-files.json' with { type: 'json' };
import { temporaryFolder } from '../support/temporary.ts';

const decode = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'base64'));

function imageAt({ pixels }: Split, row: number, bytes: number): Uint8Array {
  if (pixels.kind !== 'memory') throw new Error('expected pixels in memory');
  return new Uint8Array(pixels.bytes).slice(row * bytes, (row + 1) * bytes);
}

async function readRecords(
  { file }: { file: string },
  layout: { labelBytes: number; labelAt: number; classCount: number },
) {
  const folder = await temporaryFolder();
  await writeFile(join(folder, 'x.bin'), decode(file));
  return readCifarFiles('train', folder, ['x.bin'], { ...layout, recordsPerFile: 3 });
}

const cifar10 = () => readRecords(reference.cifar10, { labelBytes: 1, labelAt: 0, classCount: 10 });

describe('files that another program wrote', () => {
  test('CIFAR-10 records, byte for byte', async () => {
    const split = await cifar10();
    expect([...split.labels]).toEqual(reference.cifar10.labels.map(([label]) => label));
    for (const [row, image] of reference.cifar10.images.entries())
      expect(imageAt(split, row, 3072)).toEqual(decode(image));
  });

  test('CIFAR-100 records by their coarse and fine labels, byte for byte', async () => {
    for (const [labelAt, classCount] of [
      [0, 20],
      [1, 100],
    ] as const) {
      const split = await readRecords(reference.cifar100, { labelBytes: 2, labelAt, classCount });
      expect([...split.labels]).toEqual(reference.cifar100.labels.map((labels) => labels[labelAt]));
      for (const [row, image] of reference.cifar100.images.entries())
        expect(imageAt(split, row, 3072)).toEqual(decode(image));
    }
  });

  test('cifar100 by the label that options.labels names: that of the file, byte for byte', async () => {
    const root = await temporaryFolder();
    for (const [name, records] of [
      ['train', 50_000],
      ['test', 10_000],
    ] as const) {
      const file = await open(join(root, `${name}.bin`), 'w');
      await file.write(decode(reference.cifar100.file));
      await file.truncate(3074 * records);
      await file.close();
    }
    for (const [options, labelAt, classes] of [
      [undefined, 1, 100],
      [{ labels: 'fine' }, 1, 100],
      [{ labels: 'coarse' }, 0, 20],
    ] as const) {
      const { info, train, test } = await readImages(dataOptions.parse({ name: 'cifar100', root, options }));
      expect(info.classes).toHaveLength(classes);
      for (const { labels } of [train, test!])
        expect([...labels.subarray(0, 3)]).toEqual(reference.cifar100.labels.map((both) => both[labelAt]));
      for (const [row, image] of reference.cifar100.images.entries())
        expect(imageAt(train, row, 3072)).toEqual(decode(image));
    }
  });

  test.each(reference.files)(
    '$name: PNG to the byte, JPEG as Pillow decodes it',
    async ({ extension, file, pixels, shape }) => {
      const { info, train } = await load(extension, file);
      expect(info.shape).toEqual(shape);
      const off = differences(imageAt(train.split, 0, shape[0]! * shape[1]! * 3), decode(pixels));
      expect(Math.max(...off)).toBeLessThanOrEqual(extension === 'png' ? 0 : 1);
    },
  );

  test.each(reference.files)('$name, scaled: as torchvision scales it', async ({ extension, file, scaled }) => {
    for (const [side, pixels] of Object.entries(scaled)) {
      const { train } = await load(extension, file, Number(side));
      expect(imageAt(train.split, 0, Number(side) ** 2 * 3), side).toEqual(decode(pixels));
    }
  });

  async function load(extension: string, file: string, imageSize?: number) {
    const root = await temporaryFolder();
    for (const split of ['train', 'test']) {
      await mkdir(join(root, split, 'a'), { recursive: true });
      await writeFile(join(root, split, 'a', `x.${extension}`), decode(file));
    }
    const options = dataOptions.parse({ name: 'image-folder', root, imageSize });
    return loadData(options, { cache: await temporaryFolder() });
  }

  const differences = (got: Uint8Array, expected: Uint8Array): number[] =>
    Array.from(got, (value, i) => Math.abs(value - expected[i]!));
});

test('classes and files are in the order of torchvision’s ImageFolder; hidden files, which it takes, are left out', async () => {
  const { names, classes, samples } = reference.imageFolder;
  const root = await temporaryFolder();
  for (const name of names) {
    await mkdir(dirname(join(root, name)), { recursive: true });
    await writeFile(join(root, name), '');
  }
  const listed = listClassFolders(root);
  expect(listed.classes).toEqual(classes);
  const shown = samples.filter(([name]) => !basename(String(name)).startsWith('.'));
  expect(shown).toHaveLength(samples.length - 1);
  expect(listed.files.map(({ path, label }) => [path.slice(root.length + 1), label])).toEqual(shown);
});

const picture = fileURLToPath(new URL('../../docs/images/cifar-planes.png', import.meta.url));

/** The planes of the second record as they lie in the file, each in grey, and what the reader makes of them, 4 times as large. */
async function drawPlanes(): Promise<Buffer> {
  const record = decode(reference.cifar10.file).subarray(3073, 2 * 3073);
  const image = imageAt(await cifar10(), 1, 3072);
  const tiles = [0, 1, 2].map((c) => ({
    pixels: record.subarray(1 + c * 1024, 1 + (c + 1) * 1024),
    channels: 1 as const,
  }));
  const scaled = await Promise.all(
    [...tiles, { pixels: image, channels: 3 as const }].map(({ pixels, channels }) =>
      sharp(pixels, { raw: { width: 32, height: 32, channels } })
        .toColourspace('srgb')
        .resize(128, 128, { kernel: 'nearest' })
        .png()
        .toBuffer(),
    ),
  );
  const overlay = scaled.map((input, i) => ({ input, left: 8 + 136 * i, top: 8 }));
  return sharp({ create: { width: 552, height: 144, channels: 3, background: 'white' } })
    .composite(overlay)
    .png({ compressionLevel: 9 })
    .toBuffer();
}

test('the picture in docs/data.md is what the reader makes of the planes', async () => {
  const drawn = await drawPlanes();
  if (process.env.UPDATE_PICTURES) await writeFile(picture, drawn);
  const raw = async (png: Buffer) => (await sharp(png).raw().toBuffer()).toString('base64');
  expect(await raw(drawn)).toBe(await raw(await readFile(picture)));
});
