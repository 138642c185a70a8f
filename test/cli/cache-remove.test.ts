import { readdirSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, test, vi } from 'vitest';
import { withLock } from '#lock';
import { makeFolder } from '#make-folder';
import { cacheEntries } from '../../src/cli/cache/entries.ts';
import { removeEntry } from '../../src/cli/cache/remove.ts';
import { messageOfError } from '../support/message.ts';
import { temporaryFolder } from '../support/temporary.ts';

const disk = vi.hoisted(() => ({ isFaulty: false }));
vi.mock(import('node:fs/promises'), async (original) => {
  const real = await original();
  const rm: typeof real.rm = async (path, options) => {
    if (disk.isFaulty && String(path).endsWith('.removing'))
      throw Object.assign(new Error('EIO: i/o error'), { code: 'EIO' });
    return real.rm(path, options);
  };
  return { ...real, rm };
});

async function cacheWith(...folders: string[]) {
  const root = await temporaryFolder();
  for (const folder of folders) {
    await makeFolder(join(root, folder));
    await writeFile(join(root, folder, 'file'), 'x');
  }
  return root;
}

test('what an interrupted removal left is named, is of its kind, and goes with the next', async () => {
  const root = await cacheWith('downloads', 'test', 'data/cifar10', 'data/.tailmix');
  disk.isFaulty = true;
  for (const entry of await cacheEntries(root)) {
    const error = await messageOfError(() => removeEntry(root, entry, false));
    expect(error.replace(/[\da-f]{8}-[\da-f-]{27}/, 'ID')).toContain(`expected to remove ${entry.path}.ID.removing;`);
  }
  disk.isFaulty = false;
  const left = await cacheEntries(root);
  expect(left.map(({ kind }) => kind).sort()).toEqual(['downloads', 'downloads', 'downloads', 'tests']);
  expect(left.every(({ name }) => name.endsWith('.removing'))).toBe(true);
  for (const entry of left) expect(await removeEntry(root, entry, false)).toBe(true);
  expect([readdirSync(root), readdirSync(join(root, 'data'))]).toEqual([['data'], []]);
});

test('what a preparation fetches is not taken away under it', async () => {
  const root = await cacheWith('data/.tailmix');
  const [entry] = await cacheEntries(root);
  let removing = Promise.resolve(false);
  await withLock(join(root, 'data/.tailmix.lock'), async () => {
    expect((await cacheEntries(root)).map(({ name }) => name)).toEqual(['data/.tailmix']);
    removing = removeEntry(root, entry!, false);
    await delay(300);
    expect(readdirSync(join(root, 'data')).sort()).toEqual(['.tailmix', '.tailmix.lock']);
  });
  expect(await removing).toBe(true);
});
