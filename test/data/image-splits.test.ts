import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { describeData, loadData } from '../../src/data/load-data.ts';
import { type DataInput, dataOptions } from '../../src/data/options.ts';
import { planRun } from '../../src/train/plan-run.ts';
import { writeTree } from '../support/image-tree.ts';
import { messageOfError } from '../support/message.ts';
import { temporaryFolder } from '../support/temporary.ts';

type Counts = Parameters<typeof writeTree>[1];

const cifar = ['airplane', 'automobile', 'bird', 'cat', 'deer', 'dog', 'frog', 'horse', 'ship', 'truck'];
const ofEach = (count: number) => Object.fromEntries(cifar.map((name) => [name, count]));

/** Class folders, and how they are planned and loaded. */
async function folders(counts: Counts, input: Partial<DataInput> = {}, size?: readonly [number, number]) {
  const root = await temporaryFolder();
  await writeTree(root, counts, size);
  const data = { name: 'image-folder', root, ...input } as const;
  return { root, data, ...actions(data) };
}

/** The same images, listed in a manifest. */
async function listed(rows: readonly (readonly [split: string, label: string])[], input: Partial<DataInput> = {}) {
  const root = await temporaryFolder();
  await writeTree(root, { images: { a: rows.length } });
  const lines = rows.map(([split, label], i) => `images/a/${i}.png,${label},${split}`);
  await writeFile(join(root, 'manifest.csv'), ['path,label,split', ...lines].join('\n'));
  const data = { name: 'manifest', root, ...input } as const;
  return { root, data, ...actions(data) };
}

const actions = (data: DataInput) => ({
  load: async () => loadData(dataOptions.parse(data), { cache: await temporaryFolder() }),
  plan: () => describeData(dataOptions.parse(data)),
});

const labels = (subset: { split: { labels: Int32Array }; indices: Int32Array } | null): number[] | null =>
  subset && [...subset.indices].map((row) => subset.split.labels[row]!);

describe('held-out splits', () => {
  test('val/ beside test/ is the validation split, and no image of train goes to it', async () => {
    const { load, plan } = await folders({ train: { a: 3, b: 2 }, val: { a: 1, b: 2 }, test: { a: 2, b: 1 } });
    const { train, validation, test: held } = await load();
    expect([labels(train)!.toSorted(), labels(validation), labels(held)]).toEqual([
      [0, 0, 0, 1, 1],
      [0, 1, 1],
      [0, 0, 1],
    ]);
    expect(validation!.split.name).toBe('validation');
    expect(await plan()).toMatchObject({
      validationCount: 3,
      info: { testCount: 3, validationCount: 3, notes: ['"val" is the validation split'] },
    });
  });

  test('val/ alone is the test set, and the plan says so', async () => {
    const { load, data } = await folders({ train: { a: 2 }, val: { a: 1 } });
    const loaded = await load();
    expect([loaded.validation, labels(loaded.test)]).toEqual([null, [0]]);
    const planned = await planRun({ data, model: { name: 'mlp' } });
    expect(planned.info).toMatchObject({ validationCount: 0 });
    expect(planned.plan).toContain('\nimages                  "val" is the test set: there is no "test"\n');
  });

  test('test/ alone needs no word', async () => {
    const { data } = await folders({ train: { a: 2 }, test: { a: 1 } });
    expect((await planRun({ data, model: { name: 'mlp' } })).plan).not.toContain('\nimages');
  });

  test.each(['valid', 'validation'])('%s/ is one too', async (name) => {
    const { load } = await folders({ train: { a: 2 }, [name]: { a: 1 }, test: { a: 1 } });
    expect(labels((await load()).validation)).toEqual([0]);
  });

  test('two of them are refused, and so is a part of train beside one', async () => {
    const two = await folders({ train: { a: 2 }, val: { a: 1 }, valid: { a: 1 }, test: { a: 1 } });
    const both = await folders({ train: { a: 4 }, val: { a: 1 }, test: { a: 1 } }, { split: { validation: 0.2 } });
    expect([
      await messageOfError(two.load, two.root),
      await messageOfError(both.load, both.root),
      await messageOfError(both.plan, both.root),
    ]).toMatchInlineSnapshot(`
      [
        "…: expected one split for validation; got val and valid. Take one away, or name it otherwise.",
        "data.split.validation: expected 0, because the data set has validation images of its own (1); got 0.2. Leave it out, or take those images away.",
        "data.split.validation: expected 0, because the data set has validation images of its own (1); got 0.2. Leave it out, or take those images away.",
      ]
    `);
  });

  test('a class of val/ that train/ lacks is named', async () => {
    const { load, root } = await folders({ train: { a: 1 }, val: { c: 1 }, test: { a: 1 } });
    expect(await messageOfError(load, root)).toMatchInlineSnapshot(
      `"…/val/c: expected a class of the data set (a); this folder is none. Rename or remove it."`,
    );
  });

  test('class folders of CIFAR-10', async () => {
    const { load, plan } = await folders(
      { train: ofEach(1), val: ofEach(2), test: ofEach(1) },
      { name: 'cifar10', profile: 'none' },
      [32, 32],
    );
    expect([...(await load()).validation!.classCounts]).toEqual(cifar.map(() => 2));
    expect((await plan()).validationCount).toBe(20);
  });

  test('rows of a manifest', async () => {
    const rows = [
      ['train', 'a'],
      ['val', 'a'],
      ['test', 'a'],
    ] as const;
    const three = await listed(rows);
    const { validation, test: held } = await three.load();
    expect([validation!.split.files, held.split.files].map((files) => files!.map((file) => file.at(-5)))).toEqual([
      ['1'],
      ['2'],
    ]);
    expect(await three.plan()).toMatchObject({
      validationCount: 1,
      info: { notes: ['"val" is the validation split'] },
    });
    const two = await listed(rows.slice(0, 2));
    expect((await two.plan()).info).toMatchObject({ notes: ['"val" is the test set: there is no "test"'] });
    const twice = await listed([...rows, ['valid', 'a']]);
    expect(await messageOfError(twice.plan, twice.root)).toMatchInlineSnapshot(
      `"…/manifest.csv: expected one split for validation; got val and valid. Take one away, or name it otherwise."`,
    );
  });
});
