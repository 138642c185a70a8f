import { mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { type ExportedFile, RECORD, writeFolder } from '../../src/export/files.ts';
import { messageOfError } from '../support/message.ts';
import { temporaryFolder } from '../support/temporary.ts';

const files = (model: string, name = 'model.onnx'): ExportedFile[] => [
  { path: name, content: model },
  { path: RECORD, content: JSON.stringify({ tailmix: '0.1.0', files: [name] }) },
];

test('an export replaces another with force, whole, and leaves nothing beside it', async () => {
  const root = await temporaryFolder();
  const folder = join(root, 'model');
  await writeFolder(folder, files('old', 'former.onnx'));
  expect(await messageOfError(() => writeFolder(folder, files('new')), root)).toBe(
    '…/model: expected a new or empty folder to export to. Choose another --out, or --force, which replaces an export.',
  );
  await writeFolder(folder, files('new'), true);
  expect(await readdir(root)).toEqual(['model']);
  expect((await readdir(folder)).sort()).toEqual([RECORD, 'model.onnx']);
  expect(await readFile(join(folder, 'model.onnx'), 'utf8')).toBe('new');
});

test('through a link, the link stays', async () => {
  const root = await temporaryFolder();
  await writeFolder(join(root, 'model'), files('old'));
  await symlink('model', join(root, 'link'));
  await writeFolder(join(root, 'link'), files('new'), true);
  expect(await readFile(join(root, 'model', 'model.onnx'), 'utf8')).toBe('new');
  expect((await readdir(root)).sort()).toEqual(['link', 'model']);
});

test.each<[string, string, (folder: string) => Promise<unknown>]>([
  ['notes in it', 'notes.txt', (folder) => writeFile(join(folder, 'notes.txt'), 'mine')],
  ['a folder in it', 'more', (folder) => mkdir(join(folder, 'more'))],
  ['no record', 'no classes.json that tailmix wrote', (folder) => writeFile(join(folder, RECORD), '{"classes": []}')],
  [
    'a record that is no JSON',
    'no classes.json that tailmix wrote',
    (folder) => writeFile(join(folder, RECORD), 'cat, dog'),
  ],
])('a folder with %s is refused, and stays as it is', async (_, has, change) => {
  const root = await temporaryFolder();
  const folder = join(root, 'model');
  await writeFolder(folder, files('old'));
  await change(folder);
  const before = await readdir(folder);
  expect(await messageOfError(() => writeFolder(folder, files('new'), true), root)).toBe(
    `…/model: expected an export that tailmix wrote and nothing else, for --force to replace; it has ${has}. Choose another --out.`,
  );
  expect(await readdir(root)).toEqual(['model']);
  expect(await readdir(folder)).toEqual(before);
  expect(await readFile(join(folder, 'model.onnx'), 'utf8')).toBe('old');
});
