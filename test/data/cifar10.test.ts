import { copyFile, mkdir, open, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import { describe, expect, test } from 'vitest';
import { describeData, loadData } from '../../src/data/load-data.ts';
import { type DataInput, dataOptions } from '../../src/data/options.ts';
import { readCifarFiles } from '../../src/data/sets/cifar-binary.ts';
import type { Split } from '../../src/data/types.ts';
import { cifar10Folders } from '../support/cifar10.ts';
import { cifarRecord } from '../support/cifar10-binary.ts';
import { messageOfError } from '../support/message.ts';
import { temporaryFolder } from '../support/temporary.ts';

const classes = ['airplane', 'automobile', 'bird', 'cat', 'deer', 'dog', 'frog', 'horse', 'ship', 'truck'];
const FILE_BYTES = 30_730_000;

const cifar10 = (input: Partial<DataInput>) => dataOptions.parse({ name: 'cifar10', ...input });

/** Value of a pixel: differs between records, channels, rows and columns. */
const value = (record: number, c: number, y: number, x: number): number => (record * 7 + c * 61 + y * 3 + x * 5) & 255;

/** A record as published: label, then for each channel 32 rows of 32 columns. */
function record(i: number, label: number): number[] {
  const bytes = [label];
  for (let c = 0; c < 3; c++) {
    for (let y = 0; y < 32; y++) {
      for (let x = 0; x < 32; x++) bytes.push(value(i, c, y, x));
    }
  }
  return bytes;
}

function imageAt({ pixels }: Split, row: number, bytes = 3072): Uint8Array {
  if (pixels.kind !== 'memory') throw new Error('expected pixels in memory');
  return new Uint8Array(pixels.bytes).slice(row * bytes, (row + 1) * bytes);
}

describe('readCifarFiles', () => {
  const layout = { labelBytes: 1, labelAt: 0, classCount: 10, recordsPerFile: 3 };

  test('records in order, planes as [32, 32, 3]', async () => {
    const folder = await temporaryFolder();
    await writeFile(join(folder, 'a.bin'), Buffer.from([0, 1, 2].flatMap((i) => record(i, 9 - i))));
    await writeFile(join(folder, 'b.bin'), Buffer.from([3, 4, 5].flatMap((i) => record(i, i))));
    const split = await readCifarFiles('train', folder, ['a.bin', 'b.bin'], layout);
    expect([...split.labels]).toEqual([9, 8, 7, 3, 4, 5]);
    for (let row = 0; row < 6; row++) {
      const image = imageAt(split, row);
      for (const [y, x, c] of [
        [0, 0, 0],
        [0, 0, 1],
        [0, 0, 2],
        [0, 1, 0],
        [1, 0, 0],
        [17, 5, 1],
        [31, 31, 2],
      ] as const) {
        expect(image[(y * 32 + x) * 3 + c]).toBe(value(row, c, y, x));
      }
      expect([...cifarRecord(split.labels[row]!, image)]).toEqual(record(row, split.labels[row]!));
    }
  });

  test('two label bytes, as CIFAR-100 has', async () => {
    const folder = await temporaryFolder();
    const bytes = [0, 1, 2].flatMap((i) => [19, ...record(i, 90 + i)]);
    await writeFile(join(folder, 'a.bin'), Buffer.from(bytes));
    const split = await readCifarFiles('test', folder, ['a.bin'], {
      ...layout,
      labelBytes: 2,
      labelAt: 1,
      classCount: 100,
    });
    expect([...split.labels]).toEqual([90, 91, 92]);
    expect(imageAt(split, 2)[0]).toBe(value(2, 0, 0, 0));
  });

  test('a file of another length, a label out of range, no file', async () => {
    const folder = await temporaryFolder();
    const bytes = Buffer.from([0, 1, 2].flatMap((i) => record(i, i)));
    await writeFile(join(folder, 'short.bin'), bytes.subarray(0, -1));
    await writeFile(join(folder, 'long.bin'), Buffer.concat([bytes, Buffer.from([0])]));
    bytes[3073] = 10;
    await writeFile(join(folder, 'label.bin'), bytes);
    const read = (file: string) => messageOfError(() => readCifarFiles('train', folder, [file], layout), folder);
    expect([
      await read('short.bin'),
      await read('long.bin'),
      await read('label.bin'),
      await read('none.bin'),
    ]).toMatchInlineSnapshot(`
      [
        "…/short.bin: expected 9219 bytes; got 9218. Fetch or unpack the data set again.",
        "…/long.bin: expected 9219 bytes; got 9220. Fetch or unpack the data set again.",
        "…/label.bin: expected labels below 10; got 10 in record 1. Fetch or unpack the data set again.",
        "…/none.bin: expected a readable file; got "ENOENT: no such file or directory, stat '…/none.bin'". Check that it is still there.",
      ]
    `);
  });
});

describe('binary CIFAR-10', () => {
  /** Files of the official length; records beyond the first few are zeros, which is class 0. */
  async function writeBinary(folder: string): Promise<void> {
    await mkdir(folder, { recursive: true });
    for (const name of [...[1, 2, 3, 4, 5].map((i) => `data_batch_${i}.bin`), 'test_batch.bin']) {
      const file = await open(join(folder, name), 'w');
      await file.write(Buffer.from(classes.flatMap((_, label) => record(label, label))));
      await file.truncate(FILE_BYTES);
      await file.close();
    }
  }

  test.each(['', 'cifar-10-batches-bin', 'cifar10/cifar-10-batches-bin'])('is found in "%s"', async (below) => {
    const root = await temporaryFolder();
    await writeBinary(join(root, below));
    const data = await loadData(cifar10({ root, profile: 'none' }));
    expect([...data.train.classCounts]).toEqual([50_000 - 45, ...Array(9).fill(5)]);
    expect([...data.test.classCounts]).toEqual([10_000 - 9, ...Array(9).fill(1)]);
    expect(data.info).toMatchObject({ classes, shape: [32, 32, 3] });
    expect(imageAt(data.train.split, 20_003)[3]).toBe(value(3, 0, 0, 1));
    expect(data.augment).toEqual([
      { name: 'pad-crop', padding: 4 },
      { name: 'flip', probability: 0.5 },
    ]);
  });

  test('class names come from batches.meta.txt', async () => {
    const root = await temporaryFolder();
    await writeBinary(root);
    await writeFile(
      join(root, 'batches.meta.txt'),
      `${classes.map((name) => name.toUpperCase()).join('\r\n')}\r\n\r\n`,
    );
    expect((await loadData(cifar10({ root, profile: 'none' }))).info.classes[9]).toBe('TRUCK');
    await writeFile(join(root, 'batches.meta.txt'), 'airplane\n');
    expect(await messageOfError(() => loadData(cifar10({ root })), root)).toMatchInlineSnapshot(
      `"…/batches.meta.txt: expected 10 class names; got 1. Fetch or unpack the data set again."`,
    );
  });

  test('a truncated file and a missing one', async () => {
    const root = await temporaryFolder();
    await writeBinary(root);
    const file = await open(join(root, 'data_batch_3.bin'), 'r+');
    await file.truncate(FILE_BYTES - 3073);
    await file.close();
    expect(await messageOfError(() => loadData(cifar10({ root })), root)).toMatchInlineSnapshot(
      `"…/data_batch_3.bin: expected 30730000 bytes; got 30726927. Fetch or unpack the data set again."`,
    );
  });

  test('nothing there', async () => {
    const root = await temporaryFolder();
    expect(await messageOfError(() => loadData(cifar10({ root })), root)).toMatchInlineSnapshot(
      `"data.root: expected "cifar10" as cifar-10-batches-bin/data_batch_1.bin or train/<class>/<image> under …; found neither. Set data.root, --data-root or TAILMIX_DATA."`,
    );
  });
});

test('the plan of CIFAR-10 needs no data', async () => {
  const plan = await describeData(cifar10({ root: '/nowhere' }));
  expect(plan.classCounts).toEqual([5000, 2997, 1796, 1077, 645, 387, 232, 139, 83, 50]);
  expect(plan).toMatchObject({ profile: 'exp', validationCount: 0, testCount: 10_000 });
  const step = await describeData(
    cifar10({ root: '/nowhere', profile: 'step', ratio: 10, split: { validation: 0.1 } }),
  );
  expect(step.classCounts).toEqual([...Array(5).fill(4500), ...Array(5).fill(450)]);
  expect(step.validationCount).toBe(5000);
  expect(step.info.notes).toEqual([
    'about 45,000 images to train on, 5,000 for validation (10.0%), by content; exact when the images are read',
  ]);
});

const real = await cifar10Folders();

describe.skipIf(real === null)('real images in class folders', () => {
  /** The first images of each class. */
  async function copySome(root: string, train: number, heldOut: number): Promise<void> {
    for (const [split, count] of [
      ['train', train],
      ['test', heldOut],
    ] as const) {
      for (const name of classes) {
        await mkdir(join(root, split, name), { recursive: true });
        const files = (await readdir(join(real!, split, name))).sort().slice(0, count);
        for (const file of files) await copyFile(join(real!, split, name, file), join(root, split, name, file));
      }
    }
  }

  test('labels in class order, pixels as decoded, the same from the binary layout', async () => {
    const root = await temporaryFolder();
    const cache = await temporaryFolder();
    await copySome(root, 12, 2);
    const options = cifar10({ root, ratio: 4 });
    const data = await loadData(options, { cache });
    expect(data.info.classes).toEqual(classes);
    expect([...data.train.split.labels]).toEqual(classes.flatMap((_, label) => Array(12).fill(label)));
    expect([...data.train.classCounts]).toEqual([12, 10, 8, 7, 6, 5, 4, 4, 3, 3]);
    expect((await describeData(options)).classCounts).toEqual([...data.train.classCounts]);
    const [third] = (await readdir(join(root, 'train', 'cat'))).sort().slice(2);
    const decoded = await sharp(join(root, 'train', 'cat', third!))
      .raw()
      .toBuffer();
    expect(imageAt(data.train.split, 3 * 12 + 2)).toEqual(new Uint8Array(decoded));

    const records = Array.from(data.train.split.labels, (label, row) =>
      cifarRecord(label, imageAt(data.train.split, row)),
    );
    await writeFile(join(root, 'all.bin'), records);
    const layout = { labelBytes: 1, labelAt: 0, classCount: 10, recordsPerFile: 120 };
    const binary = await readCifarFiles('train', root, ['all.bin'], layout);
    expect(binary.labels).toEqual(data.train.split.labels);
    expect(imageAt(binary, 0, 120 * 3072)).toEqual(imageAt(data.train.split, 0, 120 * 3072));

    const folder = await loadData(dataOptions.parse({ name: 'image-folder', root, profile: 'exp', ratio: 4 }), {
      cache,
    });
    expect(folder.train.hash).toBe(data.train.hash);
    expect(folder.info.shape).toEqual([32, 32, 3]);
  });
});
