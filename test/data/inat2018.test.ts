import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { describeData, loadData } from '../../src/data/load-data.ts';
import { type DataInput, dataOptions } from '../../src/data/options.ts';
import { covered, writePicture } from '../support/image-tree.ts';
import {
  type Annotations,
  annotate,
  CLASSES,
  fullCounts,
  TRAIN_IMAGES,
  writeAnnotations,
} from '../support/inat2018.ts';
import { messageOfError } from '../support/message.ts';
import { temporaryFolder } from '../support/temporary.ts';

/** A tiny set in the published layout: four training images of classes 7, 2, 7, 5 and three others. */
async function setUp(edit: (train: Annotations, val: Annotations) => void = () => {}) {
  const root = await temporaryFolder();
  const train = annotate([7, 2, 7, 5], [7, 2, 5]);
  const val = annotate([5, 7, 2], [2, 5, 7], 101);
  for (const { id, file_name } of [...train.images, ...val.images])
    await writePicture(join(root, file_name), id, 10, 20);
  edit(train, val);
  await writeFile(join(root, 'train2018.json'), JSON.stringify(train));
  await writeFile(join(root, 'val2018.json'), JSON.stringify(val));
  const cache = await temporaryFolder();
  const options = (input: Partial<DataInput> = {}) =>
    dataOptions.parse({ name: 'inat2018', root, imageSize: 8, ...input });
  return { root, train, options, load: (input?: Partial<DataInput>) => loadData(options(input), { cache }) };
}

describe('a tiny set in the layout of iNaturalist 2018', () => {
  test('rows are images in file order, label order is that of category numbers', async () => {
    const { root, train, load, options } = await setUp();
    const data = await load();
    expect(data.info).toMatchObject({ classes: ['002', '005', '007'], shape: [8, 8, 3] });
    expect([...data.train.split.labels]).toEqual([2, 0, 2, 1]);
    expect([...data.test.split.labels]).toEqual([1, 2, 0]);
    expect([...data.train.classCounts]).toEqual([1, 1, 2]);
    expect(await describeData(options())).toMatchObject({ classCounts: [1, 1, 2], info: { testCount: 3 } });
    const { pixels } = data.train.split;
    if (pixels.kind !== 'memory') throw new Error('expected pixels in memory');
    for (const [row, { file_name }] of train.images.entries()) {
      const expected = await covered(join(root, file_name), [8, 8]);
      expect(new Uint8Array(pixels.bytes).slice(row * 192, (row + 1) * 192)).toEqual(expected);
    }
  });

  test('class names come from categories.json where it is', async () => {
    const { root, load } = await setUp();
    await writeFile(join(root, 'categories.json'), JSON.stringify([{ id: 7, name: 'Pica pica' }]));
    expect((await load()).info.classes).toEqual(['002', '005', 'Pica pica']);
    await writeFile(join(root, 'categories.json'), '{');
    expect(await messageOfError(() => load(), root)).toContain('categories.json: expected JSON; got');
  });

  test('other years, and a folder of its name', async () => {
    const { root, options } = await setUp();
    const names = { train: 'train2019.json', val: 'val2019.json' };
    await writeFile(join(root, names.train), JSON.stringify(annotate([3, 3], [3])));
    expect((await describeData(options({ options: names }))).classCounts).toEqual([2]);
  });

  test('a missing or unreadable image ends the run, or is left out and counted', async () => {
    const { root, train, load } = await setUp();
    const path = join(root, train.images[2]!.file_name);
    await writeFile(path, (await readFile(path)).subarray(0, 100));
    await expect(load()).rejects.toMatchObject({ code: 'DATA_IMAGE', message: expect.stringContaining(path) });
    await rm(join(root, train.images[1]!.file_name));
    expect(await messageOfError(() => load({ onCorrupt: 'skip' }))).toMatchInlineSnapshot(
      `"data set: expected a readable training image in every class; class "002" has none. Check its files, or take it out."`,
    );
    await writePicture(join(root, train.images[1]!.file_name), 1, 10, 20);
    await rm(join(root, train.images[0]!.file_name));
    await writePicture(path, 1, 10, 20);
    const { skipped, train: kept } = await load({ onCorrupt: 'skip' });
    expect(skipped).toEqual([join(root, train.images[0]!.file_name)]);
    expect([...kept.split.labels]).toEqual([0, 2, 1]);
  });
});

test.each<[string, (train: Annotations, val: Annotations) => void]>([
  ['an image without annotation', (train) => void train.annotations.pop()],
  ['two annotations for an image', (train) => void train.annotations.push({ id: 9, image_id: 1, category_id: 2 })],
  ['an annotation of no image', (train) => void train.annotations.push({ id: 9, image_id: 99, category_id: 2 })],
  ['an unknown category', (train) => (train.annotations[0]!.category_id = 8)],
  ['a category without images', (train) => void train.categories.push({ id: 4, name: 'x' })],
  ['one id for two images', (train) => (train.images[1]!.id = 1)],
  ['one id for two categories', (train) => void train.categories.push({ id: 2, name: 'x' })],
  ['a file name that leads out', (train) => (train.images[1]!.file_name = 'a/../../b.jpg')],
  ['an absolute file name', (train) => (train.images[1]!.file_name = '/etc/passwd')],
  ['an image without file name', (train) => (train.images[1]!.file_name = 5 as never)],
  [
    'a category that train has not',
    (_, val) => {
      val.categories.push({ id: 9, name: 'x' });
      val.annotations[0]!.category_id = 9;
    },
  ],
])('%s is refused', async (_, edit) => {
  const { root, options, load } = await setUp(edit);
  expect(
    await messageOfError(async () => {
      await describeData(options());
      await load();
    }, root),
  ).toMatchSnapshot();
});

test('the generator of full-size files: published counts; what is written piece by piece is read whole', async () => {
  const counts = fullCounts();
  expect([counts.length, Math.max(...counts), Math.min(...counts)]).toEqual([CLASSES, 1000, 2]);
  expect(counts.reduce((sum, n) => sum + n, 0)).toBe(TRAIN_IMAGES);
  const root = await temporaryFolder();
  const own = counts.filter((_, c) => c % 40 === 0);
  await writeAnnotations(join(root, 'train2018.json'), own);
  const plan = await describeData(dataOptions.parse({ name: 'inat2018', root }));
  expect(plan.classCounts).toEqual(own);
  const whole: Annotations = JSON.parse(await readFile(join(root, 'train2018.json'), 'utf8'));
  expect(new Set(whole.images.map(({ file_name }) => file_name)).size).toBe(whole.annotations.length);
});
