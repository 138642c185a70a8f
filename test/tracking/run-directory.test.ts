import { mkdir, readdir, utimes, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import {
  claimRunDirectory,
  createRunDirectory,
  findRun,
  listRuns,
  readEpochs,
  readSummary,
} from '../../src/tracking/run-directory.ts';
import { runFiles } from '../../src/tracking/run-files.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { epochMetrics } from '../support/tracked-run.ts';

const noon = new Date('2025-01-31T12:00:05.678Z');

async function runIn(root: string, name: string, minute: number): Promise<string> {
  const directory = await createRunDirectory(root, name, new Date(noon.getTime() + 60_000 * minute));
  const config = join(directory, runFiles.config);
  await writeFile(config, 'name: x\n');
  await utimes(config, minute, minute);
  return directory;
}

const messageOf = async (folder: string, promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => 'no error',
    (error: Error) => error.message.replaceAll(folder, 'FOLDER'),
  );

describe('a new run directory', () => {
  test('is named by run and time, and numbered where two start in one second', async () => {
    const root = join(await temporaryFolder(), 'runs');
    await createRunDirectory(root, 'remix', noon);
    await createRunDirectory(root, 'remix', noon);
    await createRunDirectory(root, 'a/../b c', noon);
    expect((await readdir(root)).sort()).toEqual([
      'a-..-b-c-20250131-120005',
      'remix-20250131-120005',
      'remix-20250131-120005-2',
    ]);
  });

  test.each([
    ['写真', '写真'],
    ['e\u0301te\u0301', '\u00e9t\u00e9'],
    ['🐱 cats', '🐱-cats'],
    ['say "it\'s"', 'say-it-s-'],
    ['-rf', 'rf'],
    ['.hidden', 'hidden'],
    ['.', 'run'],
    ['..', 'run'],
    ['a\u0007b\u001b[31m\n', 'a-b-31m-'],
    ['\u202eevil', 'evil'],
    ['שלום', 'שלום'],
    ['C:\\runs|x?', 'C-runs-x-'],
    ['\ud800', 'run'],
    ['ü'.repeat(300), 'ü'.repeat(75)],
    [`${'x'.repeat(149)}ü`, 'x'.repeat(149)],
  ])('of the name %j is called %s, and is found by that name', async (name, expected) => {
    const root = await temporaryFolder();
    await runIn(root, '猫', 5);
    const directory = await runIn(root, name, 1);
    expect(basename(directory)).toBe(`${expected}-20250131-120105`);
    expect(await findRun(name, root)).toBe(directory);
    expect(await findRun('猫', root)).toMatch(/猫/);
  });

  test('may be any empty folder, but not one that holds a run', async () => {
    const root = await temporaryFolder();
    const ownership = await claimRunDirectory(join(root, 'mine'));
    expect(ownership.directory).toBe(join(root, 'mine'));
    await ownership.release();
    await writeFile(join(root, 'mine', runFiles.config), '');
    expect(await messageOf(root, claimRunDirectory(join(root, 'mine')))).toMatchInlineSnapshot(
      `"FOLDER/mine: expected a new or empty folder for the run, but it holds a run already. Choose another --out, or continue that run with --resume."`,
    );
  });
});

describe('finding a run', () => {
  test('by path, by directory name, or by name: the newest', async () => {
    const root = await temporaryFolder();
    const old = await runIn(root, 'remix', 1);
    const young = await runIn(root, 'remix', 2);
    const other = await runIn(root, 'remix-drw', 3);
    await mkdir(join(root, 'not-a-run'));
    expect(await findRun(old, root)).toBe(old);
    expect(await findRun(basename(old), root)).toBe(old);
    expect(await findRun('remix', root)).toBe(young);
    expect(await listRuns(root)).toEqual([other, young, old]);
  });

  test('messages', async () => {
    const root = await temporaryFolder();
    expect(await messageOf(root, findRun('remix', root))).toMatchInlineSnapshot(
      `"run "remix": expected a run directory, or the name of a run in FOLDER; found neither. There are no runs there yet."`,
    );
    await runIn(root, 'erm', 1);
    expect(await messageOf(root, findRun('remix', root))).toMatchInlineSnapshot(
      `"run "remix": expected a run directory, or the name of a run in FOLDER; found neither. Newest there: erm-20250131-120105."`,
    );
  });
});

describe('what a run recorded', () => {
  test('is nothing at first', async () => {
    const run = await temporaryFolder();
    expect(await readEpochs(run)).toEqual([]);
    expect(await readSummary(run)).toBeNull();
  });

  test('is read line by line; a last line that was cut short is left out', async () => {
    const run = await temporaryFolder();
    const lines = [epochMetrics(1), epochMetrics(2)].map((metrics) => `${JSON.stringify(metrics)}\n`);
    await writeFile(join(run, runFiles.metrics), `${lines.join('')}{"epoch": 3, "st`);
    expect(await readEpochs(run)).toEqual([epochMetrics(1), epochMetrics(2)]);
  });

  test('messages', async () => {
    const run = await temporaryFolder();
    await writeFile(join(run, runFiles.metrics), '{"epoch": 1}\nnonsense\n{"epoch": 3}\n');
    await writeFile(join(run, runFiles.summary), '{');
    expect(await messageOf(run, readEpochs(run))).toMatchInlineSnapshot(
      `"FOLDER/metrics.jsonl: expected JSON, line 2 is none. The file was changed or cut. Restore it, or resume the run, which writes it again."`,
    );
    expect(await messageOf(run, readSummary(run))).toMatchInlineSnapshot(
      `"FOLDER/summary.json: expected JSON, the file is none. The file was changed or cut. Restore it, or resume the run, which writes it again."`,
    );
  });
});
