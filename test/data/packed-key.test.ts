import { chmodSync, readdirSync, readFileSync } from 'node:fs';
import { mkdir, readdir, rename, rm, stat, symlink, utimes, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import process from 'node:process';
import sharp from 'sharp';
import { describe, expect, test } from 'vitest';
import { loadData } from '../../src/data/load-data.ts';
import { type DataInput, dataOptions } from '../../src/data/options.ts';
import { fingerprint, listClassFolders } from '../../src/data/sets/class-folders.ts';
import type { Split } from '../../src/data/types.ts';
import { messageOfError } from '../support/message.ts';
import { temporaryFolder } from '../support/temporary.ts';

const TIME = new Date('2026-01-01T00:00:00Z');

/** Writes an image of one colour; files of all colours have one size, and one time. */
async function writeGrey(path: string, grey: number): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  const pixels = new Uint8Array(4 * 4 * 3).fill(grey);
  const file = await sharp(pixels, { raw: { width: 4, height: 4, channels: 3 } })
    .png({ compressionLevel: 0, palette: false })
    .toBuffer();
  await writeFile(path, file);
  await utimes(path, TIME, TIME);
}

async function writeSet(root: string, grey: number): Promise<void> {
  for (const name of ['train/a/0.png', 'train/a/1.png', 'test/a/0.png']) await writeGrey(join(root, name), grey);
}

const open = (root: string, cache: string, input: Partial<DataInput> = {}) =>
  loadData(dataOptions.parse({ name: 'image-folder', root, ...input }), { cache });

function greys({ pixels }: Split): number[] {
  if (pixels.kind !== 'memory') throw new Error('expected pixels in memory');
  return [...new Uint8Array(pixels.bytes)].filter((_, i) => i % 48 === 0);
}

describe('a packed file', () => {
  test('is not shared by two sets whose names, sizes and times agree', async () => {
    const [one, other, cache] = [await temporaryFolder(), await temporaryFolder(), await temporaryFolder()];
    await writeSet(one, 50);
    await writeSet(other, 200);
    const sizes = [one, other].map((root) => stat(join(root, 'train/a/0.png')));
    expect((await sizes[0]!).size).toBe((await sizes[1]!).size);
    expect((await sizes[0]!).mtimeMs).toBe((await sizes[1]!).mtimeMs);
    expect(greys((await open(one, cache)).train.split)).toEqual([50, 50]);
    expect(greys((await open(other, cache)).train.split)).toEqual([200, 200]);
  });

  test('is made anew for a file that is replaced by one of its size and time', async () => {
    const [root, cache] = [await temporaryFolder(), await temporaryFolder()];
    await writeSet(root, 50);
    await open(root, cache);
    await writeGrey(join(root, 'train/a/1.png'), 70);
    expect(greys((await open(root, cache)).train.split)).toEqual([50, 70]);
  });

  test('is made anew for an image that a manifest names, replaced by one of its size and time', async () => {
    const [root, cache] = [await temporaryFolder(), await temporaryFolder()];
    await writeSet(root, 50);
    const rows = ['train/a/0.png,a,train', 'train/a/1.png,a,train', 'test/a/0.png,a,test'];
    await writeFile(join(root, 'manifest.csv'), ['path,label,split', ...rows].join('\n'));
    await open(root, cache, { name: 'manifest' });
    await writeGrey(join(root, 'train/a/1.png'), 70);
    expect(greys((await open(root, cache, { name: 'manifest' })).train.split)).toEqual([50, 70]);
  });

  test('is found by another path to the same set, whose files it names by that path', async () => {
    const [root, cache] = [await temporaryFolder(), await temporaryFolder()];
    await writeSet(root, 50);
    await writeFile(join(root, 'train/a/0.png'), 'no');
    const link = join(await temporaryFolder(), 'link');
    await symlink(root, link);
    await open(root, cache, { onCorrupt: 'skip' });
    const packed = await readdir(cache);
    const { train, skipped } = await open(link, cache, { onCorrupt: 'skip' });
    expect(await readdir(cache)).toEqual(packed);
    expect([train.split.files, skipped]).toEqual([[join(link, 'train/a/1.png')], [join(link, 'train/a/0.png')]]);
    expect(train.split.unreadable![0]!.reason).toMatch(`${join(link, 'train/a/0.png')}: expected a readable image`);
  });

  test.each([
    ['image-folder', ''],
    ['manifest', './'],
  ] as const)('names the files of a moved set with left-out ones: %s', async (name, prefix) => {
    const [parent, cache] = [await temporaryFolder(), await temporaryFolder()];
    const [before, after] = [join(parent, 'before'), join(parent, 'after')];
    await writeSet(before, 50);
    await writeFile(join(before, 'train/a/0.png'), 'no');
    const rows = ['train/a/0.png,a,train', 'train/a/1.png,a,train', 'test/a/0.png,a,test'];
    await writeFile(join(before, 'manifest.csv'), ['path,label,split', ...rows.map((row) => prefix + row)].join('\n'));
    const input = { name, onCorrupt: 'skip' } as const;
    expect((await open(before, cache, input)).skipped).toHaveLength(1);
    await rename(before, after);
    const { train, skipped } = await open(after, cache, input);
    expect(train.split.files!.map((file) => join(file))).toEqual([join(after, 'train/a/1.png')]);
    expect(skipped.map((file) => join(file))).toEqual([join(after, 'train/a/0.png')]);
    expect(train.split.unreadable![0]!.reason.startsWith(`${skipped[0]}: expected`)).toBe(true);
  });
});

/** Calls as a user whom permissions bind; everything in it must be synchronous. */
function asNobody<T>(call: () => T): T {
  if (process.geteuid!() !== 0) return call();
  process.seteuid!(65534);
  try {
    return call();
  } finally {
    process.seteuid!(0);
  }
}

describe('a folder that may not be read', () => {
  async function tree(): Promise<string> {
    const root = await temporaryFolder();
    await writeSet(root, 50);
    await writeGrey(join(root, 'train/a/deep/2.png'), 60);
    await writeGrey(join(root, 'train/b/0.png'), 60);
    for (let path = root; path !== dirname(path) && path.startsWith('/tmp/'); path = dirname(path))
      chmodSync(path, 0o755);
    return root;
  }
  const listed = (root: string, mode: number, folder: string) => async (): Promise<unknown> => {
    chmodSync(join(root, folder), mode);
    try {
      return asNobody(() => fingerprint(listClassFolders(join(root, 'train')), {}));
    } finally {
      chmodSync(join(root, folder), 0o755);
    }
  };

  test.each([
    ['a sub-folder of a class', 'train/a/deep', 0],
    ['a class', 'train/b', 0],
    ['a class whose names may be read alone', 'train/b', 0o444],
    ['the split', 'train', 0],
    ['the folder above', '.', 0],
  ])('%s is named', async (_, folder, mode) => {
    const root = await tree();
    expect(asNobody(() => readdirSync(join(root, 'train')).length)).toBe(2);
    expect(await messageOfError(listed(root, mode, folder), root)).toMatchSnapshot();
    expect(asNobody(() => readFileSync(join(root, 'train/b/0.png')).length)).toBeGreaterThan(0);
    expect(listClassFolders(join(root, 'train')).files).toHaveLength(4);
  });

  test('a link to nothing that may have been one is named; one of an image’s name is told when it is read', async () => {
    const root = await tree();
    await symlink('gone', join(root, 'train', 'c'));
    const listing = async (): Promise<number> => listClassFolders(join(root, 'train')).files.length;
    expect(await messageOfError(listing, root)).toMatchInlineSnapshot(
      `"…/train/c: expected a folder or a file; this is a link to nothing. Mend it, or remove it."`,
    );
    await rm(join(root, 'train', 'c'));
    await symlink('gone.png', join(root, 'train', 'a', 'x.png'));
    expect(await listing()).toBe(5);
  });
});
