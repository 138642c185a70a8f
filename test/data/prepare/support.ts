import { createHash } from 'node:crypto';
import { lstatSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Archive, DataSource } from '../../../src/data/prepare/source.ts';
import { filesOf, tarGzOf } from '../../support/tar.ts';

const files = {
  'set-1/train.bin': Buffer.alloc(50_000, 'train'),
  'set-1/test.bin': Buffer.alloc(10_000, 'test'),
  'set-1/readme.html': '<p>Read me.</p>',
};

/** A small data set in one archive, as `prepareSource` takes it. */
export async function smallSet(
  base: string,
  changes: Partial<Archive> = {},
): Promise<{ source: DataSource; archive: Archive; bytes: Buffer }> {
  const bytes = await tarGzOf(filesOf(files));
  const archive = describeArchive(bytes, { urls: [`${base}set.tar.gz`], ...changes });
  return { source: { terms: 'Nobody’s.', archives: [archive] }, archive, bytes };
}

/** What was published of an archive. */
export const describeArchive = (bytes: Buffer, changes: Partial<Archive> = {}): Archive => ({
  file: 'set.tar.gz',
  urls: [],
  size: bytes.length,
  hash: { algorithm: 'md5', digest: createHash('md5').update(bytes).digest('hex') },
  limits: { bytes: 70_000, entries: 10 },
  from: ['set-1'],
  to: 'set/set-1',
  holds: { 'train.bin': 50_000, 'test.bin': 10_000 },
  ...changes,
});

/** Paths of all files below a folder, with their bytes; of what is no plain file, its kind. */
export function treeOf(folder: string): Record<string, string> {
  const tree: Record<string, string> = {};
  for (const entry of readdirSync(folder, { recursive: true, encoding: 'utf8' }).sort()) {
    const found = lstatSync(join(folder, entry));
    if (found.isFile())
      tree[entry] = createHash('md5')
        .update(readFileSync(join(folder, entry)))
        .digest('hex');
    else if (!found.isDirectory()) tree[entry] = 'no plain file';
  }
  return tree;
}

/** The tree of {@link smallSet} in its place. */
export const smallTree: Record<string, string> = Object.fromEntries(
  Object.entries(files)
    .map(([path, content]): [string, string] => [`set/${path}`, createHash('md5').update(content).digest('hex')])
    .sort(([a], [b]) => (a < b ? -1 : 1)),
);
