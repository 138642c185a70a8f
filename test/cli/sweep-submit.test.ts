import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import process from 'node:process';
import { expect, it, vi } from 'vitest';
import { launcher } from '../../src/package-root.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { quickRun, tailmix } from './run.ts';

vi.setConfig({ testTimeout: 60_000 });

async function sweepFolder(): Promise<string> {
  const folder = await temporaryFolder();
  await writeFile(join(folder, 'remix.yaml'), quickRun);
  await writeFile(join(folder, 'sweep.yaml'), 'configs: [remix.yaml]\nseeds: [0, 1]\n');
  return folder;
}

it('prints the scripts of an array and of the report, and writes nothing', async () => {
  const folder = await sweepFolder();
  const further = '--mem=2G --cpus-per-task=4 --account="my group"';
  const flags = ['--partition', 'cpu', '--time', '2:00:00', '--max', '1', '--sbatch', further];
  const { code, stdout, stderr } = await tailmix(folder, 'sweep', 'sweep.yaml', '--on', 'slurm', ...flags, '--dry-run');
  expect([code, stderr]).toEqual([0, '']);
  const text = stdout
    .replaceAll(folder, 'FOLDER')
    .replaceAll(process.execPath, 'node')
    .replaceAll(launcher, 'tailmix.mjs');
  expect(text).toMatchSnapshot();
  expect((await readdir(folder)).sort()).toEqual(['remix.yaml', 'sweep.yaml']);
});

it('shares each run among nodes, if its replicas allow it', async () => {
  const folder = await sweepFolder();
  const args = ['sweep', 'sweep.yaml', '--on', 'slurm', '--dry-run', '--nodes-per-run', '2'];
  const refused = await tailmix(folder, ...args);
  expect(refused.code).toBe(2);
  expect(refused.stderr.trim()).toMatchInlineSnapshot(
    `"--cluster: expected train.replicas to be a multiple of the 2 processes, got 1."`,
  );
  const settings = ['replicas=2', 'step=auto', 'dropLast=true'].flatMap((setting) => ['--set', `train.${setting}`]);
  const onWasm = await tailmix(folder, ...args, ...settings, '--backend', 'wasm');
  expect(onWasm.code).toBe(2);
  expect(onWasm.stderr.trim()).toBe('--cluster: expected backend to be native, got wasm.');
  const { stdout, stderr } = await tailmix(folder, ...args, ...settings, '--backend', 'native', '--open-network');
  expect(stderr).toBe('');
  const lines = stdout.split('\n').filter((line) => /--nodes|--ntasks|srun|lost|cancelled/.test(line));
  expect(
    lines.map((line) => line.replaceAll(folder, 'FOLDER').replace(`${process.execPath} ${launcher}`, 'tailmix')),
  ).toMatchInlineSnapshot(`
    [
      "#SBATCH --nodes=2",
      "#SBATCH --ntasks-per-node=1",
      "# It sends TERM to every process of a job that is cancelled: that job is not queued again.",
      "child= again= heard= cancelled=",
      "trap 'heard=1 again= cancelled=1' TERM",
      "srun --cpus-per-task=1 --kill-on-bad-exit=0 --wait=120 tailmix sweep --out FOLDER/runs/sweep --run "$run" --cluster --take-over --open-network &",
      "# 0: finished; 1, 2: a fault of the run or its config; 130, 143: it was stopped. Else a process was lost, and all begin again.",
      "lost=",
      "case "$code" in 0 | 1 | 2 | 130 | 143) ;; *) [ -n "$cancelled" ] || { lost=1 again=1; } ;; esac",
      "if [ -n "$again" ] && { [ "$code" = 130 ] || [ "$code" = 143 ] || [ -n "$lost" ]; }; then",
    ]
  `);
});

it('has one thread count: of the environment, else one', async () => {
  const folder = await sweepFolder();
  const args = ['sweep', 'sweep.yaml', '--on', 'slurm', '--dry-run'];
  expect((await tailmix(folder, ...args)).stdout.match(/--cpus-per-task=\d+/g)).toEqual(
    Array(2).fill('--cpus-per-task=1'),
  );
  vi.stubEnv('TAILMIX_THREADS', '3');
  expect((await tailmix(folder, ...args)).stdout.match(/--cpus-per-task=\d+/g)).toEqual(
    Array(2).fill('--cpus-per-task=3'),
  );
});

it('has an array for each part of a grid that is larger than an array may be', async () => {
  const folder = await sweepFolder();
  await writeFile(join(folder, 'scontrol'), '#!/bin/sh\necho "MaxArraySize            = 1"\n', { mode: 0o755 });
  vi.stubEnv('PATH', `${folder}:${process.env.PATH}`);
  const { stdout } = await tailmix(folder, 'sweep', 'sweep.yaml', '--on', 'slurm', '--dry-run');
  expect(stdout.match(/--array=.*|^ {2}remix-seed\d/gm)).toEqual([
    '--array=0-0',
    '  remix-seed0',
    '--array=0-0',
    '  remix-seed1',
  ]);
});

it('refuses what Slurm would read as something else, and what has no effect', async () => {
  const folder = await sweepFolder();
  const refused = async (...args: string[]): Promise<string> => {
    const { code, stderr } = await tailmix(folder, 'sweep', 'sweep.yaml', ...args);
    expect(code).toBe(2);
    return stderr.trim();
  };
  const onSlurm = (...args: string[]): Promise<string> => refused('--on', 'slurm', ...args);
  expect(await onSlurm('--partition', 'a b')).toMatchInlineSnapshot(
    `"--partition: expected a name, or names with commas between them, got "a b"."`,
  );
  expect(await onSlurm('--time', 'soon')).toMatchInlineSnapshot(
    `"--time: expected a time as Slurm writes it, such as 90 (minutes), 2:00:00 or 1-12, got "soon"."`,
  );
  expect(await onSlurm('--sbatch', '--mem=2G --array=0-3')).toMatchInlineSnapshot(
    `"--sbatch: expected options other than --array, which the sweep sets, got "--mem=2G --array=0-3"."`,
  );
  expect(await onSlurm('--sbatch', '--mem=2G\nrm')).toMatchInlineSnapshot(
    `"--sbatch: expected one line, got "--mem=2G\\nrm"."`,
  );
  expect(await onSlurm('--jobs', '2')).toMatchInlineSnapshot(
    `"--on slurm: expected to be given without --jobs. \`--max\` is the number of jobs at once, and the report is always written."`,
  );
  expect(await refused('--max', '2', '--dry-run')).toMatchInlineSnapshot(
    `"--on local: expected to be given without --max and --dry-run. They are for \`--on slurm\`."`,
  );
});

it('says which command of Slurm is missing', async () => {
  const folder = await sweepFolder();
  vi.stubEnv('PATH', folder);
  const { code, stderr } = await tailmix(folder, 'sweep', 'sweep.yaml', '--on', 'slurm');
  expect([code, stderr.trim()]).toMatchInlineSnapshot(`
    [
      1,
      "Slurm: expected an answer from sbatch; there is no sbatch here.",
    ]
  `);
});

it('shows how far runs are where nobody can ask Slurm', async () => {
  const folder = await sweepFolder();
  expect((await tailmix(folder, 'sweep', 'sweep.yaml', '--status')).stderr).toMatchInlineSnapshot(`
    "runs/sweep: expected the folder of a sweep whose grid is frozen; there is no sweep/sweep.json in it. Freeze it first: \`tailmix sweep FILE --list --out runs/sweep\`.
    "
  `);
  await tailmix(folder, 'sweep', 'sweep.yaml', '--list');
  const { runs } = JSON.parse((await tailmix(folder, 'sweep', 'sweep.yaml', '--list', '--json')).stdout);
  const jobs = JSON.stringify([{ job: '41', runs: [runs[1].id] }]);
  await mkdir(join(folder, 'runs/sweep/sweep/slurm'));
  await writeFile(join(folder, 'runs/sweep/sweep/slurm/jobs.json'), jobs);
  vi.stubEnv('PATH', folder);
  const { stderr, stdout } = await tailmix(folder, 'sweep', 'sweep.yaml', '--status');
  expect([stderr.trim(), stdout.replaceAll(/-\w{8} /g, '-HASH ').trim()]).toMatchInlineSnapshot(`
    [
      "Slurm: expected an answer from squeue; there is no squeue here. What its jobs do is not shown.
    2 runs: 2 new, in runs/sweep",
      "remix-seed0-HASH  new
    remix-seed1-HASH  new",
    ]
  `);
  await writeFile(join(folder, 'squeue'), '#!/bin/sh\necho "41_0|PENDING|Resources|"\n', { mode: 0o755 });
  vi.stubEnv('PATH', `${folder}:/bin:/usr/bin`);
  const asked = await tailmix(folder, 'sweep', 'sweep.yaml', '--status');
  expect(asked.stdout.replaceAll(/-\w{8} /g, '-HASH ')).toMatchInlineSnapshot(`
    "remix-seed0-HASH  new
    remix-seed1-HASH  queued    41_0 PENDING (Resources)
    "
  `);
});
