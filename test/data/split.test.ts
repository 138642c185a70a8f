import { rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { describeData, loadData } from '../../src/data/load-data.ts';
import { type DataInput, dataOptions } from '../../src/data/options.ts';
import { divide, expectedParts } from '../../src/data/split.ts';
import type { LoadedData, Subset } from '../../src/data/types.ts';
import { writePicture, writeTree } from '../support/image-tree.ts';
import { messageOfError } from '../support/message.ts';
import { temporaryFolder } from '../support/temporary.ts';

const shares = { validation: 0.15, test: 0.15 };

/** Rows of classes of given sizes, each with a key of its own. */
function rows(counts: readonly number[]) {
  const labels = Int32Array.from(counts.flatMap((n, label) => Array<number>(n).fill(label)));
  return { labels, keys: Array.from(labels, (label, row) => `${label}-${row}`) };
}

const countsOf = (lists: readonly Int32Array[]): number[] => lists.map((own) => own.length);

describe('divide', () => {
  test('every class has about its shares, every image one part', () => {
    const { labels, keys } = rows([4000, 1000, 200]);
    const parts = divide(labels, keys, { shares, seed: 0, classCount: 3 });
    const all = [...parts.train, ...parts.validation, ...parts.test].flatMap((own) => [...own]);
    expect(all.toSorted((a, b) => a - b)).toEqual(Array.from(labels, (_, row) => row));
    for (const part of [parts.validation, parts.test]) {
      for (const [label, n] of [4000, 1000, 200].entries()) {
        const deviation = Math.sqrt(n * 0.15 * 0.85);
        expect(Math.abs(part[label]!.length - n * 0.15)).toBeLessThan(3 * deviation);
      }
    }
    expect(parts.completed).toEqual([]);
    expect(divide(labels, keys, { shares, seed: 0, classCount: 3 })).toEqual(parts);
    expect(divide(labels, keys, { shares, seed: 1, classCount: 3 }).test).not.toEqual(parts.test);
  });

  test('an image stays in its part when others come and go', () => {
    const { labels, keys } = rows([300]);
    const partOf = (kept: readonly number[]): Map<string, string> => {
      const own = kept.map((row) => keys[row]!);
      const parts = divide(
        Int32Array.from(kept, (row) => labels[row]!),
        own,
        { shares, seed: 3, classCount: 1 },
      );
      return new Map(
        (['train', 'validation', 'test'] as const).flatMap((part) =>
          [...parts[part][0]!].map((row) => [own[row]!, part]),
        ),
      );
    };
    const all = partOf(Array.from(keys, (_, row) => row));
    const half = partOf(Array.from({ length: 150 }, (_, i) => 2 * i));
    for (const [key, part] of half) expect(all.get(key)).toBe(part);
  });

  test.each([
    [1, { train: 1, validation: 0, test: 0 }],
    [2, { train: 1, validation: 0, test: 1 }],
    [3, { train: 1, validation: 1, test: 1 }],
  ])('a class of %i images: train first, then test, then validation', (n, expected) => {
    for (let seed = 0; seed < 200; seed++) {
      const { labels, keys } = rows([n]);
      const { train, validation, test: held } = divide(labels, keys, { shares, seed, classCount: 1 });
      expect({ train: train[0]!.length, validation: validation[0]!.length, test: held[0]!.length }).toEqual(expected);
    }
    expect(expectedParts(n, shares)).toEqual(expected);
  });

  test('no class is without an image in a part if it has three, whatever the seed', () => {
    for (let seed = 0; seed < 300; seed++) {
      const { labels, keys } = rows([3, 4, 5, 9, 12]);
      const parts = divide(labels, keys, { shares: { validation: 0.4, test: 0.4 }, seed, classCount: 5 });
      for (const part of [parts.train, parts.validation, parts.test])
        expect(Math.min(...countsOf(part))).toBeGreaterThan(0);
    }
  });

  test('what the rule moved is named', () => {
    const { labels, keys } = rows([1000, 3]);
    expect(divide(labels, keys, { shares, seed: 0, classCount: 2 }).completed).toEqual([1]);
  });

  test('images of one key stay together, in several classes too, and no class loses its last training image', () => {
    for (let seed = 0; seed < 300; seed++) {
      const labels = Int32Array.of(0, 0, 0, 0, 1, 1, 1, 2);
      const keys = ['a', 'a', 'b', 'c', 'a', 'd', 'd', 'd'];
      const parts = divide(labels, keys, { shares: { validation: 0.3, test: 0.3 }, seed, classCount: 3 });
      const of = (key: string) =>
        (['train', 'validation', 'test'] as const).filter((part) =>
          parts[part].some((own) => own.some((row) => keys[row] === key)),
        );
      expect(['a', 'b', 'c', 'd'].map((key) => of(key).length)).toEqual([1, 1, 1, 1]);
      // Class 2 is in one group alone, which class 1 shares.
      expect(of('d')).toEqual(['train']);
      expect(Math.min(...countsOf(parts.train))).toBeGreaterThan(0);
    }
  });
});

/** A folder of class folders, and how it is planned and loaded. */
async function folder(counts: Record<string, number>, input: Partial<DataInput> = {}) {
  const root = await temporaryFolder();
  await writeTree(root, { '.': counts });
  const cache = await temporaryFolder();
  const data = { name: 'image-folder', root, split: shares, ...input } as const;
  return {
    root,
    load: (more: Partial<DataInput> = {}) => loadData(dataOptions.parse({ ...data, ...more }), { cache }),
    plan: () => describeData(dataOptions.parse(data)),
  };
}

const filesOf = ({ split, indices }: Subset, root: string): string[] =>
  [...indices].map((row) => split.files![row]!.replace(`${root}/`, '')).sort();

const partsOf = (data: LoadedData, root: string) => ({
  train: filesOf(data.train, root),
  validation: filesOf(data.validation!, root),
  test: filesOf(data.test, root),
});

describe('class folders without splits', () => {
  test('are divided; counts are told', async () => {
    const { root, load, plan } = await folder({ bee: 40, ant: 20, wasp: 2 });
    const data = await load();
    const parts = partsOf(data, root);
    expect(data.info.classes).toEqual(['ant', 'bee', 'wasp']);
    expect([...parts.train, ...parts.validation, ...parts.test]).toHaveLength(62);
    expect(parts.test.filter((file) => file.startsWith('wasp'))).toHaveLength(1);
    expect(data.info.notes).toMatchInlineSnapshot(`
      [
        "40 images to train on, 14 for validation (22.6%), 8 for test (12.9%), by content",
        "1 class has few images for these parts, which the rule for rare classes filled: wasp",
      ]
    `);
    expect((await plan()).info.notes).toEqual([
      'about 43 images to train on, 9 for validation (14.5%), 10 for test (16.1%), by content; exact when the images are read',
    ]);
  });

  test('stay divided as they were when photos come, are renamed or the folder moves; equal files are in one part', async () => {
    const { root, load } = await folder({ ant: 60 });
    const before = partsOf(await load(), root);
    for (let i = 0; i < 40; i++) await writePicture(join(root, `ant/more-${i}.png`), 60 + i);
    await writePicture(join(root, 'ant/twin.png'), 7);
    const moved = `${root}-moved`;
    await rename(root, moved);
    const after = partsOf(await load({ root: moved }), moved);
    for (const part of ['train', 'validation', 'test'] as const)
      expect(after[part]).toEqual(expect.arrayContaining(before[part]));
    const partOf = (file: string) => Object.entries(after).find(([, files]) => files.includes(file))![0];
    expect(partOf('ant/twin.png')).toBe(partOf('ant/7.png'));
  });

  test('a pattern keeps images together', async () => {
    const root = await temporaryFolder();
    for (let i = 0; i < 60; i++) await writePicture(join(root, `ant/session_${i % 12}_${i}.png`), i);
    const data = dataOptions.parse({ name: 'image-folder', root, split: { ...shares, group: 'session_(\\d+)_' } });
    const parts = partsOf(await loadData(data, { cache: await temporaryFolder() }), root);
    const sessions = Object.values(parts).map((files) => new Set(files.map((file) => file.split('_')[1])));
    expect(sessions.reduce((sum, own) => sum + own.size, 0)).toBe(12);
    expect(sessions.every((own) => own.size > 0)).toBe(true);
  });

  test('without data.split they are refused with what to write; so is a test share beside test/', async () => {
    const { root, load } = await folder({ ant: 3, bee: 3 });
    const undivided = await messageOfError(() => load({ split: undefined }), root);
    await writeTree(root, { train: { ant: 3 }, test: { ant: 1 } });
    expect([undivided, await messageOfError(() => load(), root)]).toMatchInlineSnapshot(`
      [
        "…: expected train/ with a folder per class, and test/, or data.split; got folders of images (ant, bee). Set data.split: { validation: 0.15, test: 0.15 } to divide them.",
        "data.split.test: expected 0, because the data set has test images of its own (1); got 0.15. Leave it out, or take those images away.",
      ]
    `);
  });

  test('val/ beside train/ is the validation split where test is held out', async () => {
    const root = await temporaryFolder();
    await writeTree(root, { train: { ant: 20 }, val: { ant: 3 } });
    const data = dataOptions.parse({ name: 'image-folder', root, split: { test: 0.2 } });
    const loaded = await loadData(data, { cache: await temporaryFolder() });
    expect([loaded.validation!.indices.length, loaded.test.split.name]).toEqual([3, 'train']);
    expect(loaded.train.indices.length + loaded.test.indices.length).toBe(20);
  });
});

describe('a manifest', () => {
  const write = async (header: string, line: (i: number) => string) => {
    const root = await temporaryFolder();
    await writeTree(root, { images: { a: 40 } });
    const lines = Array.from({ length: 40 }, (_, i) => line(i));
    await writeFile(join(root, 'manifest.csv'), [header, ...lines].join('\n'));
    return root;
  };

  test('needs no column of splits', async () => {
    const root = await write('path,label', (i) => `images/a/${i}.png,${i % 2 ? 'odd' : 'even'}`);
    const data = dataOptions.parse({ name: 'manifest', root, split: shares });
    const { train, validation, test: held } = await loadData(data, { cache: await temporaryFolder() });
    expect(train.indices.length + validation!.indices.length + held.indices.length).toBe(40);
    expect(held.indices.length).toBeGreaterThan(0);
    const refused = dataOptions.parse({ name: 'manifest', root });
    expect(await messageOfError(() => describeData(refused), root)).toMatchInlineSnapshot(
      `"…/manifest.csv: expected a first line with path, label, split, or data.split; got one without split: "path,label". Correct the file or data.options."`,
    );
  });

  test('groups by a column', async () => {
    const root = await write('path,label,patient', (i) => `images/a/${i}.png,x,${i % 8}`);
    const data = dataOptions.parse({ name: 'manifest', root, split: { ...shares, group: { column: 'patient' } } });
    const parts = partsOf(await loadData(data, { cache: await temporaryFolder() }), root);
    const patients = Object.values(parts).map(
      (files) => new Set(files.map((file) => Number(/(\d+)\.png/.exec(file)![1]) % 8)),
    );
    expect(patients.map((own) => own.size).reduce((a, b) => a + b)).toBe(8);
    const missing = dataOptions.parse({ name: 'manifest', root, split: { ...shares, group: { column: 'person' } } });
    expect(await messageOfError(() => describeData(missing), root)).toMatchInlineSnapshot(
      `"…/manifest.csv: expected a first line with path, label, person; got one without person: "path,label,patient". Correct the file or data.options."`,
    );
  });
});
