import { mkdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import process from 'node:process';
import { describe, expect, test } from 'vitest';
import { describeData, loadData } from '../../src/data/load-data.ts';
import { dataOptions } from '../../src/data/options.ts';
import { decodeInput } from '../../src/data/packed/decode.ts';
import { listClassFolders } from '../../src/data/sets/class-folders.ts';
import { writeTree } from '../support/image-tree.ts';
import { messageOfError } from '../support/message.ts';
import { temporaryFolder } from '../support/temporary.ts';

const composed = 'café'.normalize('NFC');
const decomposed = 'café'.normalize('NFD');
const latin1 = (folder: string, name: string): Buffer =>
  Buffer.concat([Buffer.from(`${folder}/`), Buffer.from(name, 'latin1')]);

async function tree(counts: Parameters<typeof writeTree>[1]) {
  const root = await temporaryFolder();
  await writeTree(root, counts);
  const data = dataOptions.parse({ name: 'image-folder', root, imageSize: 4 });
  const cache = await temporaryFolder();
  return { root, read: () => loadData(data, { cache }) };
}

// File systems of macOS and Windows have other rules.
describe.runIf(process.platform === 'linux')('names of classes and images', () => {
  test('are taken as they are, in any script and form, and found again in the packed file', async () => {
    const names = [composed, '数字', 'קטן', '__proto__', 'constructor', 'a\nb', ' ', '\ufffd'];
    const { read } = await tree(
      Object.fromEntries(['train', 'test'].map((split) => [split, Object.fromEntries(names.map((name) => [name, 2]))])),
    );
    for (let time = 0; time < 2; time++) {
      const { info, train, test } = await read();
      expect([...info.classes].sort()).toEqual([...names].sort());
      expect([train.indices.length, test.indices.length]).toEqual([2 * names.length, 2 * names.length]);
    }
  });

  test('that differ in their Unicode normal form alone are refused: within a split and between two', async () => {
    const both = await tree({ train: { [composed]: 1, [decomposed]: 1 }, test: { [composed]: 1 } });
    expect((await messageOfError(both.read, both.root)).normalize('NFC')).toMatchInlineSnapshot(
      `"…/train/café: expected classes whose names differ; this one and "café" look the same and differ in their Unicode normal form (NFC and NFD, as Linux and macOS write accents). Write the name in one form everywhere."`,
    );
    const apart = await tree({ train: { [composed]: 1, b: 1 }, test: { [decomposed]: 1, b: 1 } });
    expect(await messageOfError(apart.read, apart.root)).toContain('differ in their Unicode normal form');
  });

  test('and so are those of a manifest', async () => {
    const { root } = await tree({ train: { a: 2 } });
    const rows = [composed, 'b'].map((label, i) => `train/a/${i}.png,${label},train`);
    await writeFile(join(root, 'm.csv'), ['path,label,split', ...rows, `train/a/0.png,${decomposed},test`].join('\n'));
    const data = dataOptions.parse({ name: 'manifest', root, imageSize: 4, options: { file: 'm.csv' } });
    expect((await messageOfError(() => describeData(data), root)).normalize('NFC')).toMatch(
      /^…\/m\.csv: class "café": expected classes whose names differ; this one and "café" look the same/,
    );
  });

  test('that are not UTF-8 are named, not passed over', async () => {
    const folder = await tree({ train: { a: 1, b: 1 }, test: { a: 1, b: 1 } });
    await mkdir(latin1(join(folder.root, 'train'), 'caf\xe9'));
    expect(await messageOfError(folder.read, folder.root)).toMatchInlineSnapshot(
      `"…/train/caf�: expected names in UTF-8; this one has other bytes (shown as �). Rename it, for example with \`convmv -f latin1 -t utf8\`."`,
    );
    const file = await tree({ train: { a: 2, b: 1 }, test: { a: 1, b: 1 } });
    await rename(join(file.root, 'train/a/1.png'), latin1(join(file.root, 'train/a'), 'caf\xe9.png'));
    expect(await messageOfError(file.read, file.root)).toContain('…/train/a/caf\ufffd.png: expected names in UTF-8');
    expect(() => listClassFolders(join(file.root, 'train'))).toThrow(/UTF-8/);
  });

  test('of an image to predict that is not there in this form: the file is named', async () => {
    const { root } = await tree({ train: { [composed]: 1 } });
    const path = join(root, 'train', decomposed, '0.png');
    expect(await messageOfError(() => decodeInput(path, [4, 5, 3]), root)).toContain(
      '/0.png: expected a readable image; got "no file of that name',
    );
  });
});
