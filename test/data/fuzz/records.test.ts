import { execFileSync } from 'node:child_process';
import { mkdir, readFile, symlink, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { openPacked, type PackedRow, writePacked } from '../../../src/data/packed/packed.ts';
import { readCifarFiles } from '../../../src/data/sets/cifar-binary.ts';
import { TailmixError } from '../../../src/errors.ts';
import { messageOfError } from '../../support/message.ts';
import { temporaryFolder } from '../../support/temporary.ts';
import { fuzzRuns, tellRefused } from '../../support/verdicts.ts';
import { mutate, mutations } from './mutations.ts';

describe('CIFAR binary files', () => {
  const layout = { labelBytes: 1, labelAt: 0, classCount: 10, recordsPerFile: 3 };
  const whole = Uint8Array.from({ length: 3 * 3073 }, (_, i) => (i % 3073 === 0 ? (i / 3073) % 10 : i % 251));
  const read = (folder: string) => readCifarFiles('train', folder, ['batch.bin'], layout);

  test('damaged: an error that names the file, or records with labels of the set', async () => {
    const folder = await temporaryFolder();
    const path = join(folder, 'batch.bin');
    const tried = fuzzRuns(300);
    let failed = 0;
    await fc.assert(
      fc.asyncProperty(mutations, async (changes) => {
        await writeFile(path, mutate(whole, changes));
        try {
          expect((await read(folder)).labels.every((label) => label >= 0 && label < 10)).toBe(true);
        } catch (error) {
          failed++;
          expect(error).toBeInstanceOf(TailmixError);
          expect((error as TailmixError).message).toContain(path);
        }
      }),
      { seed: 10, numRuns: tried },
    );
    tellRefused('files of records at random', failed, tried);
  });

  test.each<[string, (path: string) => unknown]>([
    ['a folder', (path) => mkdir(path)],
    ['a pipe', (path) => execFileSync('mkfifo', [path])],
    ['a device', (path) => symlink('/dev/zero', path)],
    ['3 GB', (path) => writeFile(path, '').then(() => truncate(path, 3e9))],
    ['nothing in it', (path) => writeFile(path, '')],
    ['a link to itself', (path) => symlink('batch.bin', path)],
  ])('%s in place of one', async (_, make) => {
    const folder = await temporaryFolder();
    await make(join(folder, 'batch.bin'));
    expect(await messageOfError(() => read(folder), folder)).toMatchSnapshot();
  });
});

test('a damaged packed file is none, or what it was: what is behind its head cannot change unseen', async () => {
  const folder = await temporaryFolder();
  const path = join(folder, 'x.pack');
  const rows = async function* (): AsyncGenerator<PackedRow> {
    for (let i = 0; i < 4; i++) yield { path: `${i}`, label: i % 2, image: Uint8Array.of(i, i, i, i, i, i) };
  };
  await writePacked(path, { key: 'k', shape: [2, 3, 1] }, rows());
  const whole = await readFile(path);
  const good = await openPacked(path, 'k');
  const tried = fuzzRuns(500);
  let refused = 0;
  await fc.assert(
    fc.asyncProperty(mutations, async (changes) => {
      await writeFile(path, mutate(whole, changes));
      const opened = await openPacked(path, 'k');
      if (opened === null) refused++;
      else expect(opened).toEqual(good);
    }),
    { seed: 11, numRuns: tried },
  );
  tellRefused('packed files at random', refused, tried);
});
