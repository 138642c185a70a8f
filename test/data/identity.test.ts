import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { defineDataset } from '../../src/data/dataset.ts';
import { expectSameData, hashImage, identityOf, textsOf } from '../../src/data/identity.ts';
import { loadData } from '../../src/data/load-data.ts';
import { type DataInput, dataOptions } from '../../src/data/options.ts';
import { writePicture, writeTree } from '../support/image-tree.ts';
import { messageOfError } from '../support/message.ts';
import { temporaryFolder } from '../support/temporary.ts';

async function folders() {
  const root = join(await temporaryFolder(), 'set');
  await mkdir(root);
  await writeTree(root, { train: { ant: 3, bee: 3 }, val: { ant: 1, bee: 1 }, test: { ant: 1, bee: 1 } });
  return root;
}

const identity = async (root: string, input: Partial<DataInput> = {}) =>
  identityOf(
    await loadData(dataOptions.parse({ name: 'image-folder', root, ...input }), { cache: await temporaryFolder() }),
  );

describe('the identity of data', () => {
  test('is that of content: another place, other times, a packed file made anew change nothing', async () => {
    const root = await folders();
    const first = await identity(root);
    expect(first).toMatchObject({ dataset: 'image-folder', classes: ['ant', 'bee'] });
    await rename(root, `${root}-moved`);
    await writePicture(join(`${root}-moved`, 'train/ant/0.png'), 0);
    expect(await identity(`${root}-moved`)).toEqual(first);
    expect(new Set([first.train, first.validation, first.test]).size).toBe(3);
  });

  test.each([
    ['an image that is another', (root: string) => writePicture(join(root, 'train/ant/1.png'), 99), ['train']],
    [
      'an image that is moved to another class',
      (root: string) => rename(join(root, 'train/ant/2.png'), join(root, 'train/bee/2b.png')),
      ['train'],
    ],
    ['a test image', (root: string) => writePicture(join(root, 'test/bee/0.png'), 99), ['test']],
    ['a validation image', (root: string) => writePicture(join(root, 'val/bee/0.png'), 99), ['validation']],
    ['one image less', (root: string) => rm(join(root, 'train/bee/2.png')), ['train']],
    [
      'class folders that are renamed',
      async (root: string) => {
        for (const split of ['train', 'val', 'test']) await rename(join(root, split, 'ant'), join(root, split, 'fly'));
        for (const split of ['train', 'val', 'test']) await rename(join(root, split, 'bee'), join(root, split, 'ant'));
      },
      ['classes', 'train', 'validation', 'test'],
    ],
  ])('%s changes it', async (_, change, parts) => {
    const root = await folders();
    const before = await identity(root);
    await change(root);
    const after = await identity(root);
    const different = (['classes', 'train', 'validation', 'test'] as const).filter(
      (part) => JSON.stringify(before[part]) !== JSON.stringify(after[part]),
    );
    expect(different).toEqual(parts);
    const [one, other] = [textsOf(before), textsOf(after)];
    expect(Object.keys(one).filter((name) => one[name] !== other[name])).toEqual(
      parts.map((part) => (part === 'classes' ? part : `${part === 'train' ? 'training' : part} images`)),
    );
    expect(() => expectSameData('runs/a', before, after)).toThrowError(/^runs\/a: expected the data/);
  });

  test('depends on the images taken, and on their order', async () => {
    const root = await folders();
    const all = await identity(root);
    expect((await identity(root, { profile: 'exp', ratio: 2 })).train).not.toBe(all.train);
    expect((await identity(root, { subsetSeed: 1 })).train).not.toBe(all.train);
    expect((await identity(root, { subsetSeed: 1 })).test).toBe(all.test);
  });

  test('of a data set in memory, and of the same pixels in a file, is that of its pixels', async () => {
    const shape = [2, 2, 1] as const;
    const path = join(await temporaryFolder(), 'pixels.bin');
    const pixels = Uint8Array.from({ length: 16 }, (_, i) => i);
    await writeFile(path, Buffer.concat([Buffer.alloc(8), pixels]));
    const bytes = new SharedArrayBuffer(16);
    new Uint8Array(bytes).set(pixels);
    const of = (kind: 'memory' | 'file') => {
      const split = (name: 'train' | 'test') => ({
        name,
        labels: Int32Array.of(0, 0, 1, 1),
        pixels: kind === 'memory' ? { kind, bytes } : { kind, path, offset: 8 },
      });
      const info = { name: 'own', classes: ['a', 'b'], shape, mean: [0], std: [1] };
      const set = defineDataset({
        name: 'own',
        describe: () => ({ ...info, fullCounts: [2, 2], testCount: 4 }),
        read: async () => ({ info, train: split('train'), test: split('test') }),
      });
      return loadData(dataOptions.parse({ name: set }));
    };
    const inMemory = identityOf(await of('memory'));
    expect(identityOf(await of('file'))).toEqual(inMemory);
    new Uint8Array(bytes)[15] = 99;
    expect(identityOf(await of('memory')).train).not.toBe(inMemory.train);
  });
});

test('the message names both, and what differs alone', async () => {
  const trained = {
    dataset: 'a',
    classes: ['ant', 'bee'],
    train: 'a'.repeat(64),
    validation: null,
    test: 'c'.repeat(64),
  };
  const messages = [
    { ...trained, train: 'b'.repeat(64) },
    { ...trained, classes: ['bee', 'ant'], validation: 'd'.repeat(64) },
    { ...trained, dataset: 'other', classes: ['ant'] },
  ].map((got) => messageOfError(async () => expectSameData('runs/a', trained, got)));
  expect(await Promise.all(messages)).toMatchInlineSnapshot(`
    [
      "runs/a: expected the data that it was trained on: training images aaaaaaaaaaaa; got training images bbbbbbbbbbbb. Use that data (data.root), or --allow-other-data if this is meant; the run records it.",
      "runs/a: expected the data that it was trained on: classes ant, bee (of 2), validation images none; got classes bee, ant (of 2), validation images dddddddddddd. Use that data (data.root), or --allow-other-data if this is meant; the run records it.",
      "runs/a: expected the data that it was trained on: data set "a", classes bee (of 2); got data set "other", classes fewer (of 1). Use that data (data.root), or --allow-other-data if this is meant; the run records it.",
    ]
  `);
  expect(() => expectSameData('runs/a', trained, { ...trained, test: 'x' }, ['classes', 'train'])).not.toThrow();
});

test('an image’s hash is the beginning of its SHA-256', () => {
  // printf abc | sha256sum
  expect(Buffer.from(hashImage(Buffer.from('abc'))).toString('hex')).toBe('ba7816bf8f01cfea414140de5dae2223');
});
