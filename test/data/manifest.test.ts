import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { registry } from '../../plugins/index.ts';
import { loadConfig } from '../../src/config/load.ts';
import { describeData, loadData } from '../../src/data/load-data.ts';
import { type DataInput, dataOptions } from '../../src/data/options.ts';
import { createTrainer } from '../../src/train/trainer.ts';
import { picture, writePicture } from '../support/image-tree.ts';
import { messageOfError } from '../support/message.ts';
import { temporaryFolder } from '../support/temporary.ts';

const rows = [
  ['img/a b.png', 'cat', 'train'],
  ['img/1.png', 'Dog', 'train'],
  ['img/2.png', 'cat', 'train'],
  ['img/"q", x.png', 'cat', 'train'],
  ['img/4.png', 'Dog', 'val'],
  ['img/5.png', 'cat', 'test'],
] as const;
const quoted = (field: string): string => (/[",\n]/.test(field) ? `"${field.replaceAll('"', '""')}"` : field);

/** A root with the images of {@link rows} (image i is picture i) and a manifest of the given text. */
async function setUp(file: string, text: string) {
  const root = await temporaryFolder();
  for (const [i, [path]] of rows.entries()) await writePicture(join(root, path), i);
  await writeFile(join(root, file), text);
  const cache = await temporaryFolder();
  const options = (input: Partial<DataInput> = {}) =>
    dataOptions.parse({ name: 'manifest', root, options: { file, ...input.options }, ...input });
  return { root, cache, options, load: (input?: Partial<DataInput>) => loadData(options(input), { cache }) };
}

const csv = ['path,label,split', ...rows.map((row) => row.map(quoted).join(','))].join('\n');

describe('the same rows', () => {
  test.each([
    ['m.csv', csv],
    ['m.CSV', `\uFEFF${csv.replaceAll('\n', '\r\n')}\r\n\r\n`],
    ['m.csv', ['note,split,path,label', ...rows.map(([p, l, s]) => `"a\n""b""",${s},${quoted(p)},"${l}"`)].join('\n')],
    ['m.tsv', ['path\tlabel\tsplit', ...rows.map((row) => row.map(quoted).join('\t'))].join('\n')],
    ['m.jsonl', rows.map(([path, label, split]) => JSON.stringify({ split, path, label, more: [1] })).join('\n')],
  ])('in %s', async (file, text) => {
    const { load, options } = await setUp(file, text);
    const { info, train, test: held, skipped } = await load();
    expect(info).toMatchObject({ name: 'manifest', classes: ['Dog', 'cat'], shape: [4, 5, 3] });
    expect([...train.split.labels]).toEqual([1, 0, 1, 1]);
    expect([...train.classCounts]).toEqual([1, 3]);
    expect([...held.split.labels]).toEqual([1]);
    expect(skipped).toEqual([]);
    const { pixels } = train.split;
    if (pixels.kind !== 'memory') throw new Error('expected pixels in memory');
    for (let row = 0; row < 4; row++)
      expect(new Uint8Array(pixels.bytes).slice(row * 60, row * 60 + 60)).toEqual(picture(row, 4, 5));
    expect(await describeData(options())).toMatchObject({
      classCounts: [1, 3],
      profile: 'none',
      info: { testCount: 1 },
    });
  });
});

test('labels that all are whole numbers are in their order; a list of classes decides otherwise', async () => {
  const lines = ['10', '9', '0', '9'].map((label, i) => `img/${i === 0 ? 1 : 2}.png,${label},train`);
  const { load } = await setUp('m.csv', ['path,label,split', ...lines, 'img/4.png,10,val'].join('\n'));
  const { info, train, test: held } = await load();
  expect(info.classes).toEqual(['0', '9', '10']);
  expect([...train.split.labels, ...held.split.labels]).toEqual([2, 1, 0, 1, 2]);
  const own = await load({ options: { file: 'm.csv', classes: ['9', '10', '0'] } });
  expect([...own.train.split.labels]).toEqual([1, 0, 2, 0]);
});

test('columns of other names, images in another folder', async () => {
  const text = ['file,class,fold', '1.png,a,train', '2.png,b,validation', '4.png,b,train'].join('\n');
  const { load } = await setUp('m.csv', text);
  const columns = { path: 'file', label: 'class', split: 'fold' };
  const { train, test: held } = await load({ options: { file: 'm.csv', images: 'img', columns } });
  expect([train.split.labels, held.split.labels].map((labels) => [...labels])).toEqual([[0, 1], [1]]);
});

test('a config trains on it, by its own counts', async () => {
  const { root } = await setUp('manifest.csv', csv);
  const config = join(root, 'run.yaml');
  await writeFile(
    config,
    `data: { name: manifest, root: ${root}, workers: 0 }\nmodel: { name: mlp }\ntrain: { epochs: 2, batchSize: 2 }\n`,
  );
  const { options, resolved } = await loadConfig(config, { registry });
  expect(resolved.data).toMatchObject({ name: 'manifest', options: { file: 'manifest.csv' } });
  const { summary } = await createTrainer({ ...options, plugins: [] } as never).run();
  expect(summary.classCounts).toEqual([1, 3]);
});

describe('the packed cache', () => {
  test('belongs to the content of the manifest and its settings, and is made anew when asked', async () => {
    const { root, cache, load, options } = await setUp('m.csv', csv);
    const count = async (): Promise<number> => (await readdir(cache)).length;
    await load();
    await load({ profile: 'exp', ratio: 1 });
    expect(await count()).toBe(3); // train, val, test
    await load({ imageSize: 3 });
    expect(await count()).toBe(6);
    await writeFile(join(root, 'm.csv'), csv.replace('img/1.png', 'img/2.png'));
    const changed = await load();
    expect(await count()).toBe(9);
    const at = ({ train: { split } }: typeof changed) =>
      split.pixels.kind === 'memory' ? [...new Uint8Array(split.pixels.bytes).slice(60, 120)] : [];
    expect(at(changed)).toEqual([...picture(2, 4, 5)]);
    await writePicture(join(root, 'img/2.png'), 77);
    expect(at(await load())).toEqual([...picture(77, 4, 5)]);
    expect(at(await loadData(options(), { cache, fresh: true }))).toEqual([...picture(77, 4, 5)]);
  });

  test('unreadable images are left out and counted', async () => {
    const { root, load } = await setUp('m.csv', csv);
    await writeFile(join(root, 'img/2.png'), 'no image');
    await expect(load()).rejects.toMatchObject({ code: 'DATA_IMAGE' });
    const { skipped, train } = await load({ onCorrupt: 'skip' });
    expect(skipped).toEqual([join(root, 'img/2.png')]);
    expect([...train.split.labels]).toEqual([1, 0, 1]);
    await writePicture(join(root, 'img/2.png'), 2);
    expect((await load({ onCorrupt: 'skip' })).skipped).toEqual([]);
  });
});

test('what is wrong is told with its line', async () => {
  const message = async (file: string, text: string, more: Record<string, unknown> = {}): Promise<string> => {
    const { root, load } = await setUp(file, text);
    return messageOfError(() => load({ options: { file, ...more } }), root);
  };
  const line = (...lines: string[]) => message('m.csv', ['path,label,split', 'img/1.png,a,train', ...lines].join('\n'));
  expect({
    missing: await message('m.csv', csv, { file: 'none.csv' }),
    format: await message('m.txt', csv),
    empty: await message('m.csv', ''),
    column: await message('m.csv', 'path,class,split\nimg/1.png,a,train'),
    fields: await line('img/2.png,a'),
    label: await line('img/2.png,,train'),
    split: await line('img/2.png,a,trian'),
    quote: await line('img/"2".png,a,test'),
    after: await line('"img/2.png"x,a,test'),
    openQuote: await line('"img/2.png,a,test', 'more'),
    noTest: await line(),
    noTrain: await message('m.csv', 'path,label,split\nimg/1.png,a,test'),
    unknown: await line('img/2.png,b,test'),
    given: await message('m.csv', csv, { classes: ['cat'] }),
    unused: await message('m.csv', csv, { classes: ['cat', 'Dog', 'emu'] }),
    json: await message('m.jsonl', '{"path": "img/1.png"'),
    jsonList: await message('m.jsonl', '[1]'),
    jsonType: await message('m.jsonl', '{"path": "img/1.png", "label": null, "split": "train"}'),
  }).toMatchInlineSnapshot(`
    {
      "after": "…/m.csv:3: expected quotes around a whole field; got "img/2.png"x,a,test. Correct the line.",
      "column": "…/m.csv: expected a first line with path, label, split; got one without label: "path,class,split". Correct the file or data.options.",
      "empty": "…/m.csv: expected a first line with path, label, split; got an empty file. Correct the file or data.options.",
      "fields": "…/m.csv:3: expected 3 fields, as the first line has; got 2. Correct the line.",
      "format": "data.options.file: expected a .csv, .tsv or .jsonl file; got …/m.txt. Rename it.",
      "given": "…/m.csv:3: expected a class of data.options; got "Dog". Correct the line.",
      "json": "…/m.jsonl:1: expected a JSON map; got {"path": "img/1.png". Correct the line.",
      "jsonList": "…/m.jsonl:1: expected text or a number as path; got none. Correct the line.",
      "jsonType": "…/m.jsonl:1: expected text or a number as label; got null. Correct the line.",
      "label": "…/m.csv:3: expected a path and a label; got an empty one. Correct the line.",
      "missing": "…/none.csv: expected a readable file; got "ENOENT: no such file or directory, open '…/none.csv'". Check that it is still there.",
      "noTest": "…/m.csv: expected rows with the split test or val or valid or validation, or data.split.test; got none. Correct the file or data.options.",
      "noTrain": "…/m.csv: expected rows with the split train; got none. Correct the file or data.options.",
      "openQuote": "…/m.csv:3: expected a quote that is closed; got "img/2.png,a,test. Correct the line.",
      "quote": "…/m.csv:3: expected quotes around a whole field; got img/"2".png,a,test. Correct the line.",
      "split": "…/m.csv:3: expected a split of train, test, val, valid, validation; got "trian". Correct the line.",
      "unknown": "…/m.csv:3: expected a class of train; got "b". Correct the line.",
      "unused": "…/m.csv: expected training images of every class; got none of "emu". Correct the file or data.options.",
    }
  `);
});
