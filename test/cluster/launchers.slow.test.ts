import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join, resolve } from 'node:path';
import process from 'node:process';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ended } from '../cli/run.ts';
import { type SlurmOfTest, startSlurm, whyNoSlurm } from '../support/slurm.ts';
import { clusterEnv, digits, resultOf, train, whyNoCluster } from './support.ts';

const whyNoMpi = spawnSync('mpirun', ['--version']).status === 0 ? null : 'Debian’s openmpi-bin is not installed';
for (const [launcher, why] of [
  ['srun', whyNoCluster ?? whyNoSlurm],
  ['mpirun', whyNoCluster ?? whyNoMpi],
])
  if (why !== null) console.warn(`SKIPPED: one run in several processes by ${launcher}, ${why}`);

let folder: string;
let env: NodeJS.ProcessEnv;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tailmix-launched-'));
  if (whyNoCluster !== null) return;
  await writeFile(join(folder, 'run.yaml'), digits(20, 2));
  expect((await ended(train(folder, 'run.yaml', '--out', 'one'))).code).toBe(0);
  // The examples call tailmix as it is installed.
  await mkdir(join(folder, 'bin'));
  const command = join(folder, 'bin', 'tailmix');
  await writeFile(command, `#!/bin/sh\nexec ${process.execPath} ${resolve('bin/tailmix.mjs')} "$@" --open-network\n`);
  await chmod(command, 0o755);
  env = { ...clusterEnv, PATH: `${join(folder, 'bin')}${delimiter}${process.env.PATH}` };
}, 300_000);

afterAll(() => rm(folder, { recursive: true, force: true }));

async function until(what: string, look: () => boolean | Promise<boolean>): Promise<void> {
  for (const end = performance.now() + 120_000; performance.now() < end; await delay(200)) if (await look()) return;
  throw new Error(`${what}: not in two minutes`);
}

const read = (path: string): Promise<string> => readFile(path, 'utf8').catch(() => '');

describe.skipIf(whyNoCluster !== null || whyNoSlurm !== null)('srun over two nodes', { timeout: 300_000 }, () => {
  let place: string;
  let slurm: SlurmOfTest;

  beforeAll(async () => {
    place = await mkdtemp(join(tmpdir(), 'tailmix-slurm-'));
    slurm = startSlurm(place, env);
    await until('two nodes are idle', () => /idle\s+n\[1-2\]/.test(slurm.command('sinfo', '-h')));
  }, 120_000);

  afterAll(async () => {
    slurm?.stop();
    await rm(place, { recursive: true, force: true });
  });

  test('slurm.sh: a rank is killed, the job is queued again and goes on; the run is that of one process to the bit', async () => {
    const args = ['--parsable', '--cpus-per-task=1', '--output=job.log', resolve('examples/cluster/slurm.sh')];
    const job = execFileSync('sbatch', [...args, 'run.yaml', 'shared'], {
      cwd: folder,
      env: slurm.env,
      encoding: 'utf8',
    }).trim();
    const log = join(folder, 'job.log');
    const show = (): string => slurm.command('scontrol', 'show', 'job', job);
    await until('the first epoch has ended', async () => (await read(log)).includes('epoch 1/20'));
    const [, pid] = /rank 1 of 2 \(process (\d+)\)/.exec(await read(log))!;
    process.kill(Number(pid), 'SIGKILL');
    await until('the job is queued again', () => /Restarts=1/.test(show()));
    await until('the job has ended', () => !/JobState=(PENDING|RUNNING|COMPLETING)/.test(show()));
    const said = await read(log);
    expect(show(), said).toContain('JobState=COMPLETED');
    expect(said).toContain('by SLURM_*');
    expect(said).toMatch(/rank 1 \(\S+\) is gone: nobody listens at its port/);
    expect(await resultOf(join(folder, 'shared'))).toEqual(await resultOf(join(folder, 'one')));
  });

  test('a sweep whose runs have two nodes each', async () => {
    await writeFile(join(folder, 'sweep.yaml'), 'configs: [run.yaml]\nseeds: [0]\nout: swept\n');
    const flags = ['--on', 'slurm', '--nodes-per-run', '2', '--open-network', '--time', '30'];
    const child = spawn(process.execPath, [resolve('bin/tailmix.mjs'), 'sweep', 'sweep.yaml', ...flags], {
      cwd: folder,
      env: slurm.env,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const { code, stdout, stderr } = await ended(child);
    expect(code, stderr).toBe(0);
    const [, report] = /the report in job (\d+)/.exec(stdout)!;
    const show = (): string => slurm.command('scontrol', 'show', 'job', report!);
    await until('the report is written', () => !/JobState=(PENDING|RUNNING|COMPLETING)/.test(show()));
    expect(show()).toContain('JobState=COMPLETED');
    const [run] = (await readdir(join(folder, 'swept'))).filter((name) => name.startsWith('run-seed0'));
    expect(await resultOf(join(folder, 'swept', run!))).toEqual(await resultOf(join(folder, 'one')));
    const log = (await readdir(join(folder, 'swept/sweep/slurm'))).find((name) => /^\d+_0\.log$/.test(name))!;
    expect(await read(join(folder, 'swept/sweep/slurm', log))).toContain('2 processes of 1 replicas, by SLURM_*');
  });
});

test.skipIf(whyNoCluster !== null || whyNoMpi !== null)(
  'mpirun.sh: the run is that of one process to the bit',
  { timeout: 300_000 },
  async () => {
    const root = { OMPI_ALLOW_RUN_AS_ROOT: '1', OMPI_ALLOW_RUN_AS_ROOT_CONFIRM: '1' };
    const child = spawn(resolve('examples/cluster/mpirun.sh'), ['2', 'run.yaml', 'by-mpi'], {
      cwd: folder,
      env: { ...env, ...root },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const { code, stderr } = await ended(child);
    expect(code, stderr).toBe(0);
    expect(stderr).toContain('by OMPI_*');
    expect(await resultOf(join(folder, 'by-mpi'))).toEqual(await resultOf(join(folder, 'one')));
  },
);
