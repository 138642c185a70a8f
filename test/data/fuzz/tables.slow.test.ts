import { execFileSync } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { describeData } from '../../../src/data/load-data.ts';
import { dataOptions } from '../../../src/data/options.ts';
import { forgetListings } from '../../../src/data/sets/listing.ts';
import { TailmixError } from '../../../src/errors.ts';
import { annotate } from '../../support/inat2018.ts';
import { messageOfError } from '../../support/message.ts';
import { temporaryFolder } from '../../support/temporary.ts';
import { fuzzRuns, tellRefused } from '../../support/verdicts.ts';
import { mutate, mutations } from './mutations.ts';

const rows = Array.from({ length: 30 }, (_, i) => [
  `img/${i}, "é".jpg`,
  ['cat', 'Pica pica', '12'][i % 3]!,
  i < 24 ? 'train' : 'val',
]);
const quoted = (field: string): string => `"${field.replaceAll('"', '""')}"`;
const whole: Record<string, string> = {
  'm.csv': ['path,label,split', ...rows.map(([path, ...rest]) => [quoted(path!), ...rest].join(','))].join('\n'),
  'm.tsv': ['path\tlabel\tsplit', ...rows.map(([path, ...rest]) => [quoted(path!), ...rest].join('\t'))].join('\r\n'),
  'm.jsonl': rows.map(([path, label, split]) => JSON.stringify({ path, label, split })).join('\n'),
  'train2018.json': JSON.stringify(annotate([7, 2, 7, 5], [7, 2, 5])),
};
const isManifest = (file: string): boolean => file.startsWith('m.');

/** Counts of the file as a plan has them: no image is there, and none is read. */
async function read(file: string, folder: string): Promise<unknown> {
  const data = isManifest(file)
    ? { name: 'manifest', root: folder, imageSize: 8, options: { file } }
    : { name: 'inat2018', root: folder };
  try {
    return (await describeData(dataOptions.parse(data))).classCounts;
  } finally {
    forgetListings();
  }
}

describe('damaged bytes are an error that names the file, or counts of it', () => {
  test.each(Object.keys(whole))('%s', async (file) => {
    const root = await temporaryFolder();
    const path = join(root, file);
    await writeFile(path, whole[file]!);
    const counts = (await read(file, root)) as readonly number[];
    const total = counts.reduce((sum, n) => sum + n, 0);
    const tried = fuzzRuns(400);
    let failed = 0;
    await fc.assert(
      fc.asyncProperty(mutations, async (changes) => {
        await writeFile(path, mutate(Buffer.from(whole[file]!), changes));
        try {
          const found = (await read(file, root)) as readonly number[];
          // What is repeated or inserted adds no more rows than it has bytes for.
          expect(found.reduce((sum, n) => sum + n, 0)).toBeLessThanOrEqual(3 * total);
        } catch (error) {
          failed++;
          expect(error).toBeInstanceOf(TailmixError);
          const { message } = error as TailmixError;
          expect(message).toContain(path);
          expect(message.length).toBeLessThan(path.length + 400);
        }
      }),
      { seed: 12, numRuns: tried },
    );
    tellRefused(`${file} at random`, failed, tried);
  });
});

const line = (...lines: string[]): string => ['path,label,split', 'a.jpg,a,train', ...lines, 'b.jpg,a,val'].join('\n');
const json = (edit: (document: ReturnType<typeof annotate>) => unknown): string => {
  const document = annotate([7, 2, 7, 5], [7, 2, 5]);
  return JSON.stringify(edit(document) ?? document);
};
const nested = (depth: number): string => `${'['.repeat(depth)}${']'.repeat(depth)}`;

test.each<[string, string, string | Uint8Array]>([
  ['bytes that are no UTF-8', 'm.csv', Buffer.from(line('\xe9.jpg,a,train'), 'latin1')],
  ['UTF-16', 'm.csv', Buffer.from(`\uFEFF${line()}`, 'utf16le')],
  ['a zero byte', 'm.csv', line('x\0.jpg,a,train')],
  ['line ends of old', 'm.csv', line().replaceAll('\n', '\r')],
  ['a quote that never closes', 'm.csv', line('"x.jpg,a,train')],
  [
    'a quote that never closes, in a long file',
    'm.csv',
    line('"x.jpg,a,train', ...Array(99_999).fill('x.jpg,a,train')),
  ],
  ['quotes that never close', 'm.csv', line('"x.jpg', ...Array(99_999).fill('""'))],
  ['a column twice', 'm.csv', `path,${line()}`],
  ['a split of 200,000 characters', 'm.csv', line(`x.jpg,a,${'x'.repeat(1e5)}`)],
  ['lists in lists', 'm.jsonl', `{"path": "x", "label": ${nested(50_000)}, "split": "train"}`],
  ['maps that do not end', 'm.jsonl', '{"a":'.repeat(20_000)],
  ['a number beyond all numbers', 'm.jsonl', '{"path": "x", "label": 1e999, "split": "train"}'],
  ['a number of too many digits', 'm.jsonl', '{"path": "x", "label": 12345678901234567890, "split": "train"}'],
  ['a boolean as path', 'm.jsonl', '{"path": true, "label": 1, "split": "train"}'],
  ['JSON in one list', 'm.jsonl', '[{"path": "x", "label": 1, "split": "train"}]'],
  ['bytes that are no UTF-8', 'train2018.json', Buffer.from(json(() => {}).replace('Zo', '\xe9'), 'latin1')],
  ['a byte order mark', 'train2018.json', `\uFEFF${json(() => {})}`],
  ['a zero byte', 'train2018.json', json(() => {}).replace('"images":[{"id":1', '"images":[{"id":\0')],
  [
    'lists in lists',
    'train2018.json',
    json(() => {}).replace('"images":[{"id":1,', `"images":[{"x":${nested(50_000)},"id":"1",`),
  ],
  ['maps that do not end', 'train2018.json', '{"images":'.repeat(50_000)],
  [
    'an id beyond all numbers',
    'train2018.json',
    json(() => {}).replace('"images":[{"id":1,', '"images":[{"id":1e999,'),
  ],
  [
    'an id of too many digits',
    'train2018.json',
    json(() => {}).replace('"images":[{"id":1,', '"images":[{"id":12345678901234567890,'),
  ],
  ['an id twice in a map', 'train2018.json', json(() => {}).replace('"images":[{"id":1,', '"images":[{"id":1,"id":2,')],
  ['an id that is text', 'train2018.json', json(({ images }) => void Object.assign(images[0]!, { id: '1' }))],
  [
    'a file name that leads out',
    'train2018.json',
    json(({ images }) => void Object.assign(images[0]!, { file_name: 'a\\..\\..\\b' })),
  ],
  [
    'images in place of their list',
    'train2018.json',
    json((document) => ({ ...document, images: document.images[0] })),
  ],
  ['numbers for images', 'train2018.json', json((document) => ({ ...document, images: [1, 2] }))],
  ['null for an annotation', 'train2018.json', json((document) => ({ ...document, annotations: [null] }))],
])('%s in %s', async (_, file, content) => {
  const folder = await temporaryFolder();
  await writeFile(join(folder, file), content);
  const start = performance.now();
  const message = await messageOfError(() => read(file, folder), folder);
  expect(performance.now() - start, 'milliseconds').toBeLessThan(10_000);
  expect(message.length).toBeLessThan(400);
  expect(message).toMatchSnapshot();
});

describe('what has no end is left early', () => {
  /** Writes `head`, then 300 MB of `x`. */
  async function endless(path: string, head: string): Promise<void> {
    const piece = Buffer.alloc(2 ** 20, 'x');
    await pipeline(Readable.from([Buffer.from(head), ...Array(300).fill(piece)]), createWriteStream(path));
  }

  test.each<[string, string]>([
    ['m.csv', 'path,label,split\na.jpg,a,train\n'],
    ['m.csv', 'path,label,split\na.jpg,a,train\n"'],
    ['m.jsonl', '{"path": "'],
    ['train2018.json', '{"images": [{"id": 1, "file_name": "'],
    ['train2018.json', '{"'],
  ])('a line of 300 MB in %s that begins with %j', async (file, head) => {
    const folder = await temporaryFolder();
    await endless(join(folder, file), head);
    const before = process.memoryUsage().rss;
    expect(await messageOfError(() => read(file, folder), folder)).toMatchSnapshot();
    expect((process.memoryUsage().rss - before) / 1e6, 'MB').toBeLessThan(150);
  });

  test.each<[string, (path: string) => unknown]>([
    ['a folder', (path) => mkdir(path)],
    ['a pipe', (path) => execFileSync('mkfifo', [path])],
    ['a device', (path) => symlink('/dev/zero', path)],
  ])('%s', async (_, make) => {
    for (const file of ['m.csv', 'train2018.json']) {
      const folder = await temporaryFolder();
      await make(join(folder, file));
      expect(await messageOfError(() => read(file, folder), folder)).toBe(
        `…/${file}: expected a file; got a folder, a pipe or a device. Fetch or unpack the data set again.`,
      );
    }
  });
});

test('class numbers of any length are in their order', async () => {
  const labels = ['9'.repeat(400), '10', '9', `1${'0'.repeat(400)}`];
  const text = ['path,label,split', ...labels.map((label) => `x.jpg,${label},train`), 'x.jpg,9,val'].join('\n');
  const folder = await temporaryFolder();
  await writeFile(join(folder, 'm.csv'), text);
  const data = dataOptions.parse({ name: 'manifest', root: folder, imageSize: 8, options: { file: 'm.csv' } });
  const { info } = await describeData(data);
  expect(info.classes).toEqual(['9', '10', labels[0], labels[3]]);
});

test.each(['{', '5', '[null]', '[5]', '[{"id": "7", "name": "x"}]', '[{"id": 7}]', nested(50_000)])(
  'names of categories from %#',
  async (text) => {
    const folder = await temporaryFolder();
    await writeFile(join(folder, 'train2018.json'), whole['train2018.json']!);
    await writeFile(join(folder, 'categories.json'), text);
    expect(await messageOfError(() => read('train2018.json', folder), folder)).toMatchSnapshot();
  },
);
