import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { describeData, loadData } from '../../src/data/load-data.ts';
import { type DataInput, dataOptions } from '../../src/data/options.ts';
import { datasets } from '../../src/data/sets/registry.ts';
import { planRun } from '../../src/train/plan-run.ts';
import reference from '../reference/long-tail-counts.json' with { type: 'json' };
import { writeTree } from '../support/image-tree.ts';
import { messageOfError } from '../support/message.ts';
import { temporaryFolder } from '../support/temporary.ts';

const describeAt = (root: string, input: DataInput) => describeData(dataOptions.parse({ root, ...input }));
const loadAt = (root: string, input: DataInput, cache?: string) =>
  loadData(dataOptions.parse({ root, ...input }), cache === undefined ? {} : { cache });

describe.each(Object.entries(datasets).filter(([name]) => name !== 'image-folder' && name !== 'manifest'))(
  '%s',
  (name, dataset) => {
    test('says of itself what a plan needs, and consistently', async () => {
      const { info, augment } = await describeAt('/nowhere', { name: name as keyof typeof datasets });
      expect(info.name).toBe(name);
      expect(new Set(info.classes).size).toBe(info.classes.length);
      expect([info.mean.length, info.std.length]).toEqual([info.shape[2], info.shape[2]]);
      expect(augment).toBe(dataset.augment);
      if (Array.isArray(info.fullCounts)) expect(info.fullCounts).toHaveLength(info.classes.length);
    });
  },
);

test.each(reference)('the plan of $set $profile $ratio has the counts of LDAM-DRW, without data', async (row) => {
  const input = { name: row.set, profile: row.profile, ratio: row.ratio } as DataInput;
  expect((await describeAt('/nowhere', input)).classCounts).toEqual(row.counts);
});

test.each([
  ['cifar100', 100, 10_000],
  ['cinic10', 10, 90_000],
  ['inat2018', 8142, 24_426],
] as const)('%s has %i classes and is tested on %i images', async (name, classes, testCount) => {
  const { info } = await describeAt('/nowhere', { name });
  expect([info.classes.length, info.testCount]).toEqual([classes, testCount]);
});

test('cifar100: fine labels in alphabetical order', async () => {
  const { classes } = (await describeAt('/nowhere', { name: 'cifar100' })).info;
  expect(classes).toEqual([...classes].sort());
  expect([classes[0], classes[99]]).toEqual(['apple', 'worm']);
});

test('cifar100: coarse labels, 2500 images each, and the long tail of those', async () => {
  const coarse = (input: Partial<DataInput> = {}) =>
    describeAt('/nowhere', { name: 'cifar100', options: { labels: 'coarse' }, ...input });
  const { info, classCounts } = await coarse();
  expect(info.fullCounts).toEqual(Array(20).fill(2500));
  expect(info.classes).toEqual([...info.classes].sort());
  expect([info.classes[0], info.classes[19]]).toEqual(['aquatic_mammals', 'vehicles_2']);
  // 2500 · 100^(−c / 19), cut off
  expect((classCounts as number[]).slice(0, 3)).toEqual([2500, 1961, 1539]);
  expect((classCounts as number[])[19]).toBe(25);
  expect(await messageOfError(() => coarse({ options: { labels: 'both' } }))).toMatchInlineSnapshot(
    `"data.options: expected options of "cifar100"; got labels: Invalid option: expected one of "fine"|"coarse". Correct data.options."`,
  );
});

test('cinic10 trains on train and is evaluated on valid', async () => {
  const root = await temporaryFolder();
  const { classes } = (await describeAt('/nowhere', { name: 'cinic10' })).info;
  const each = (count: number) => Object.fromEntries(classes.map((name) => [name, count]));
  await writeTree(join(root, 'CINIC-10'), { train: each(3), valid: each(2), test: each(1) }, [32, 32]);
  const data = await loadAt(root, { name: 'cinic10', profile: 'none' }, await temporaryFolder());
  expect([...data.train.classCounts]).toEqual(Array(10).fill(3));
  expect([...data.test.classCounts]).toEqual(Array(10).fill(2));
  const planned = await describeAt(root, { name: 'cinic10', profile: 'none' });
  expect([planned.classCounts, planned.info.testCount]).toEqual([Array(10).fill(3), 20]);
});

test('without data: where it is expected, and what to do', async () => {
  const root = await temporaryFolder();
  const messages = ['cifar10', 'cifar100', 'cinic10', 'inat2018'] as const;
  expect(
    await Promise.all(messages.map((name) => messageOfError(() => loadAt(root, { name }), root))),
  ).toMatchInlineSnapshot(`
    [
      "data.root: expected "cifar10" as cifar-10-batches-bin/data_batch_1.bin or train/<class>/<image> under …; found neither. Set data.root, --data-root or TAILMIX_DATA.",
      "data.root: expected "cifar100" as cifar-100-binary/train.bin or train.bin under …; found neither. Set data.root, --data-root or TAILMIX_DATA.",
      "data.root: expected "cinic10" as train/<class>/<image> and valid/<class>/<image> or the same in CINIC-10/ under …; found neither. Set data.root, --data-root or TAILMIX_DATA.",
      "data.root: expected "inat2018" as train2018.json and val2018.json or the same in inat2018/ under …; found neither. Set data.root, --data-root or TAILMIX_DATA.",
    ]
  `);
});

describe('inat2018', () => {
  const plan = (root: string) =>
    planRun({ data: { name: 'inat2018', root }, model: { name: 'resnet50' }, train: { batchSize: 256 } });

  test('a plan without data says what is published, and where the counts are', async () => {
    const { plan: table, unread, info } = await plan('/nowhere');
    expect(unread).toEqual({ total: 437_513, largest: 1000, smallest: 2, source: 'train2018.json' });
    expect([info.trainCount, info.stepsPerEpoch]).toEqual([437_513, Math.ceil(437_513 / 256)]);
    expect(table.split('\n').slice(1, 5)).toMatchInlineSnapshot(`
      [
        "data                    inat2018: 437513 images, 8142 classes, ratio 500",
        "class counts            1000 to 2; each is in train2018.json, which is not under the data root",
        "augment                 random-resized-crop (scale 0.08 to 1, ratio 0.75 to 1.333), flip (probability 0.5)",
        "steps                   200 epochs × 1710 steps of 256",
      ]
    `);
  });

  test('counts come from train2018.json where it is', async () => {
    const root = await temporaryFolder();
    const expected = Array.from({ length: 8142 }, (_, c) => 1 + (c % 7));
    const labels = expected.flatMap((count, c) => Array<number>(count).fill(c));
    const images = labels.map((c, id) => ({ id, file_name: `train_val2018/Insecta/${c}/${id}.jpg`, license: 3 }));
    const annotations = labels.map((category_id, id) => ({ id, image_id: id, category_id }));
    const categories = expected.map((_, id) => ({ id, name: String(id), supercategory: 'Insecta' }));
    // Larger than the pieces in which the file is read.
    const text = JSON.stringify({ images, categories, annotations }, null, 1);
    expect(text.length).toBeGreaterThan(1 << 21);
    await writeFile(join(root, 'train2018.json'), text);
    const { info, plan: table, unread } = await plan(root);
    expect(info.classCounts).toEqual(expected);
    expect(unread).toBeNull();
    expect(table).toContain('class counts            1 2 3 4 5 6 7 1 2 3 …');
  });

  test('a profile or a validation part needs the counts', async () => {
    const refused = (input: Partial<DataInput>) =>
      messageOfError(() => describeAt('/nowhere', { name: 'inat2018', ...input }));
    expect([await refused({ profile: 'exp' }), await refused({ split: { validation: 0.1 } })]).toMatchInlineSnapshot(`
      [
        "data.profile: expected "inat2018" with its class counts, which are in train2018.json; got "exp" without that file. Set data.root to its folder, or leave data.profile out.",
        "data.split: expected "inat2018" with its class counts, which are in train2018.json; got a split without that file. Set data.root to its folder, or leave data.split out.",
      ]
    `);
  });
});
