import { existsSync } from 'node:fs';
import { symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import process from 'node:process';
import { describe, expect, it } from 'vitest';
import { withLock } from '#lock';
import { makeFolder } from '#make-folder';
import { setUpNative } from '../../src/backend/setup.ts';
import { writeAtomically } from '../../src/data/packed/atomic.ts';
import { prepareSource } from '../../src/data/prepare/prepare-source.ts';
import { download } from '../../src/download/download.ts';
import { writeFolder } from '../../src/export/files.ts';
import { compareRuns } from '../../src/report/compare.ts';
import { writeReport } from '../../src/report/write.ts';
import { writeFileStore } from '../../src/tracking/file-store/write.ts';
import { own } from '../../src/tracking/ownership.ts';
import { createRunDirectory } from '../../src/tracking/run-directory.ts';
import { madeUpRun } from '../report/in-memory-runs.ts';
import { messageOfError } from '../support/message.ts';
import { temporaryFolder } from '../support/temporary.ts';

describe('a folder', () => {
  it('is made with those above it, is taken where it is there, by many at once', async () => {
    const folder = await temporaryFolder();
    await Promise.all(Array.from({ length: 20 }, () => makeFolder(join(folder, 'a/b/c/'))));
    await makeFolder(join(folder, 'a/b'));
    await makeFolder('/');
    await makeFolder('.');
    expect(existsSync(join(folder, 'a/b/c'))).toBe(true);
  });

  it('that cannot be made is an error at once: below a file, a link to nothing, and where the system takes none', async () => {
    const folder = await temporaryFolder();
    await writeFile(join(folder, 'file'), '');
    await symlink('nothing', join(folder, 'link'));
    const codeOf = (path: string): Promise<unknown> =>
      makeFolder(path).then(null, ({ code, syscall }) => [code, syscall]);
    expect(await codeOf(join(folder, 'file'))).toEqual(['EEXIST', 'mkdir']);
    expect(await codeOf(join(folder, 'file/a/b'))).toEqual(['ENOTDIR', 'mkdir']);
    expect(await codeOf(join(folder, 'link'))).toEqual(['EEXIST', 'mkdir']);
    expect(await codeOf(join(folder, 'link/a/b'))).toEqual(['EEXIST', 'mkdir']);
    if (process.platform === 'linux') expect(await codeOf('/proc/tailmix/a')).toEqual(['ENOENT', 'mkdir']);
  });
});

describe.runIf(process.platform === 'linux')('what is to be written where no folder can be made says so', () => {
  const refused = "the system refused (ENOENT: no such file or directory, mkdir '/proc/tailmix').";
  const place = '/proc/tailmix/x';
  const comparison = compareRuns({ runs: [madeUpRun('erm', 0, [9, 5, 1])], leftOut: [] });
  const file = { url: 'http://127.0.0.1:1/x', hash: null, size: null };

  it.each([
    ['an export', () => writeFolder(place, []), 'choose another --out'],
    ['a report', () => writeReport(comparison, place), 'choose another folder with --out'],
    ['a packed file', () => writeAtomically(place, async () => {}), 'choose another cache with TAILMIX_CACHE'],
    [
      'a data set',
      () => prepareSource({ terms: '', archives: [] }, { root: place }),
      'choose another with --data-root or TAILMIX_DATA',
    ],
    ['a download', () => download(file, place), 'choose another place'],
    ['a backend', () => setUpNative({ root: place }), 'set TAILMIX_CACHE to a folder that can be written'],
  ])('%s', async (_, write, choose) => {
    expect(await messageOfError(write)).toMatch(`${refused} No folder can be made there: ${choose}.`);
  });

  it('a run, a lock, a file store: as the system says it, which the command explains', async () => {
    for (const write of [() => createRunDirectory(place, 'run'), () => withLock(place, async () => {})])
      await expect(write()).rejects.toMatchObject({ code: 'ENOENT', syscall: 'mkdir', path: '/proc/tailmix' });
    await expect(writeFileStore(place, [])).rejects.toMatchObject({ code: 'WRITE_FAILED' });
    await expect(own(place)).rejects.toMatchObject({ code: 'WRITE_FAILED' });
  });
});
