import { existsSync } from 'node:fs';
import { chmod, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import process from 'node:process';
import { expect, it, onTestFinished, vi } from 'vitest';
import { context } from '../../src/cli/context.ts';
import { expandSweep, type PlannedRun } from '../../src/sweep/expand.ts';
import { readSweep } from '../../src/sweep/read.ts';
import { stateOf } from '../../src/sweep/state.ts';
import { checkpointPath } from '../../src/tracking/checkpoint.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { quickRun, tailmix } from './run.ts';

// Several processes in a row, each of which may wait for a build of changed sources.
vi.setConfig({ testTimeout: 300_000 });

/** A sweep of seeds, each trained for an epoch where the sweep would have it. */
async function trainedSweep(seeds: number[]): Promise<{ folder: string; runs: PlannedRun[] }> {
  const folder = await temporaryFolder();
  const file = join(folder, 'sweep.yaml');
  await writeFile(join(folder, 'run.yaml'), quickRun);
  await writeFile(file, `configs: [run.yaml]\nseeds: [${seeds.join()}]\nset: { train.epochs: 1 }\n`);
  const overrides = { set: [], backend: 'wasm', out: join(folder, 'runs/sweep') };
  const { runs } = await expandSweep(await readSweep([file], context.registry), overrides, context);
  for (const { directory, set } of runs) {
    const settings = set.flatMap((setting) => ['--set', setting]);
    const { code, stderr } = await tailmix(folder, 'train', 'run.yaml', ...settings, '--out', directory);
    expect(code, stderr).toBe(0);
    await writeFile(join(directory, 'notes.txt'), 'mine');
    expect(await stateOf(runs[0]!, context)).toEqual({ kind: 'finished' });
  }
  return { folder, runs };
}

it('a sweep deletes nothing: it resumes what it can, and moves the rest aside and says so', async () => {
  const { folder, runs } = await trainedSweep([0, 1, 2]);
  const [cut, damaged, bare] = runs.map(({ directory }) => directory) as [string, string, string];
  await truncate(join(cut, 'summary.json'), 100);
  await rm(join(damaged, 'summary.json'));
  await writeFile(checkpointPath(damaged, 1), 'x');
  await rm(join(bare, 'config.yaml'));
  const weights = await readFile(checkpointPath(cut, 1));

  const { code, stderr, stdout } = await tailmix(folder, 'sweep', 'sweep.yaml', '--jobs', '2', '--json');
  expect(code, stderr).toBe(0);
  const outcomes = JSON.parse(stdout) as { directory: string; status: string; setAside: string | null }[];
  expect(outcomes.map(({ status, setAside }) => [status, setAside && basename(setAside)])).toEqual([
    ['finished', null],
    ['finished', `${basename(damaged)}.aside-1`],
    ['finished', `${basename(bare)}.aside-1`],
  ]);
  expect(stderr).toContain('run seed 0: resumes');
  expect(await readFile(join(cut, 'notes.txt'), 'utf8')).toBe('mine');
  expect(await readFile(checkpointPath(cut, 1))).toEqual(weights);
  expect(JSON.parse(await readFile(join(cut, 'summary.json'), 'utf8'))).toMatchObject({ status: 'finished' });
  const said = stderr
    .split('\n')
    .filter((line) => line.includes('what was in its folder'))
    .map((line) =>
      line
        .replace(/^\[\d of 3\] /, '')
        .replaceAll(/-[\da-f]{8}\b/g, '-HASH')
        .replaceAll(/[^ ]*\/runs/g, 'runs'),
    )
    .sort();
  expect(said).toMatchInlineSnapshot(`
    [
      "run seed 1: what was in its folder is now in runs/sweep/run-seed1-HASH.aside-1: runs/sweep/run-seed1-HASH: expected a readable checkpoint, but each of the 1 found is damaged: runs/sweep/run-seed1-HASH/checkpoints/epoch-0001.safetensors: expected a complete safetensors file; it has 1 bytes. Use an earlier checkpoint. Restore one of them, or start the run again in another folder.",
      "run seed 2: what was in its folder is now in runs/sweep/run-seed2-HASH.aside-1: it holds checkpoints, metrics.jsonl, mlflow, plan.txt, subset.json, summary.json, and no config.yaml",
    ]
  `);
  for (const directory of [damaged, bare]) {
    expect(await readFile(join(`${directory}.aside-1`, 'notes.txt'), 'utf8')).toBe('mine');
    expect(await readdir(`${directory}.aside-1`)).not.toContain('owner.lock');
    expect(existsSync(join(directory, 'notes.txt'))).toBe(false);
  }
  // What was moved aside is no run of the sweep.
  const report = await tailmix(folder, 'report', 'runs/sweep', '--json');
  expect(JSON.parse(report.stdout)).toMatchObject({ methods: [{ seeds: [0, 1, 2] }], leftOut: [] });
});

it('a checkpoint that may not be read just now is left as it is, and its run fails with the reason', async () => {
  const { folder, runs } = await trainedSweep([0]);
  const [run] = runs as [PlannedRun];
  const checkpoint = checkpointPath(run.directory, 1);
  await rm(join(run.directory, 'summary.json'));
  expect(await stateOf(run, context)).toEqual({ kind: 'unfinished' });
  expect(await stateOf({ ...run, hash: 'other' }, context)).toEqual({
    kind: 'foreign',
    reason: 'its config.yaml is of other settings',
  });
  await chmod(checkpoint, 0);
  await chmod(folder, 0o755);
  if (process.getuid?.() === 0) {
    // Permissions are no obstacle to root.
    process.seteuid!(65534);
    onTestFinished(() => process.seteuid!(0));
  }
  await expect(stateOf(run, context)).rejects.toMatchObject({ code: 'CHECKPOINT_UNREADABLE' });
  const { code, stderr } = await tailmix(folder, 'evaluate', run.directory);
  expect({ code, stderr: stderr.replaceAll(run.directory, 'RUN') }).toMatchInlineSnapshot(`
    {
      "code": 1,
      "stderr": "RUN/checkpoints/epoch-0001.safetensors: expected a checkpoint; it cannot be read (EACCES: permission denied, open 'RUN/checkpoints/epoch-0001.safetensors'). Check the path and its permissions.
    ",
    }
  `);
  expect(existsSync(checkpoint)).toBe(true);
});
