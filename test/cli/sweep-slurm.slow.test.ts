import { spawn } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import process from 'node:process';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { parse } from 'yaml';
import { figuresOf } from '../support/results-csv.ts';
import { type SlurmOfTest, startSlurm, whyNoSlurm } from '../support/slurm.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { type Ended, ended, tailmix } from './run.ts';

vi.setConfig({ testTimeout: 900_000, hookTimeout: 120_000 });

if (whyNoSlurm !== null) console.warn(`SKIPPED: no sweep runs on Slurm: ${whyNoSlurm}.`);

/** Set to a number of runs: a sweep of so many, ten of which are killed. Minutes. */
const many = Number(process.env.TAILMIX_SLURM_RUNS ?? 0);

let place: string;
let slurm: SlurmOfTest;

beforeAll(async () => {
  if (whyNoSlurm !== null) return;
  place = await mkdtemp(join(tmpdir(), 'tailmix-slurm-'));
  slurm = startSlurm(place);
  await until('two nodes are idle', () => /idle\s+n\[1-2\]/.test(slurm.command('sinfo', '-h')));
});

afterAll(async () => {
  slurm?.stop();
  if (whyNoSlurm === null) await rm(place, { recursive: true, force: true });
});

interface Shown {
  id: string;
  state: string;
  epochs: number;
  slurm: { job: string; state: string | null; node: string | null } | null;
}

/** A plugin that makes steps long while a file is there: a run can be stopped, and does not end. */
const held = (hold: string): string => `import { existsSync } from 'node:fs';
import { definePlugin, z } from 'tailmix';

export default definePlugin({
  name: 'held',
  options: z.strictObject({}),
  apply({ hooks }) {
    const nothing = new Int32Array(new SharedArrayBuffer(4));
    hooks.onBatchEnd.tap('held', () => {
      if (existsSync(${JSON.stringify(hold)})) Atomics.wait(nothing, 0, 0, 400);
    });
  },
});
`;

async function heldConfig(folder: string, name: string): Promise<string> {
  const path = resolve(`configs/digits/${name}.yaml`);
  const { plugins } = parse(await readFile(path, 'utf8')) as { plugins: object[] };
  const own = join(folder, `${name}.yaml`);
  await writeFile(own, JSON.stringify({ extends: path, plugins: [...plugins, { use: './held.ts' }] }));
  return own;
}

async function until<T>(what: string, look: () => T | null | Promise<T | null>, seconds = 120): Promise<T> {
  for (const end = performance.now() + 1000 * seconds; performance.now() < end; await delay(300)) {
    const found = await look();
    if (found) return found;
  }
  throw new Error(`${what}: not in ${seconds} s. ${slurm.command('squeue', '-r', '-t', 'all')}`);
}

const command = (folder: string, ...args: string[]): Promise<Ended> =>
  ended(
    spawn(process.execPath, [resolve('bin/tailmix.mjs'), ...args], {
      cwd: folder,
      env: { ...slurm.env, TAILMIX_BACKEND: 'wasm', TAILMIX_THREADS: '1' },
      stdio: ['ignore', 'pipe', 'pipe'],
    }),
  );

async function submitted(folder: string): Promise<RegExpExecArray> {
  const { code, stdout, stderr } = await command(folder, 'sweep', 'sweep.yaml', '--on', 'slurm', '--time', '60');
  expect(code, stderr).toBe(0);
  return /(\d+) of \d+ runs in job (\d+), the report in job (\d+)/.exec(stdout)!;
}

async function statusOf(folder: string): Promise<Shown[]> {
  vi.stubEnv('SLURM_CONF', slurm.env.SLURM_CONF);
  const { stdout } = await tailmix(folder, 'sweep', 'sweep.yaml', '--status', '--json');
  return (JSON.parse(stdout) as { runs: Shown[] }).runs;
}

/** State and exit code of a job that has ended; null before. */
function endOf(job: string): string | null {
  const [, state] = /JobState=(\w+)/.exec(slurm.command('scontrol', 'show', 'job', job))!;
  return ['PENDING', 'RUNNING', 'COMPLETING'].includes(state!) ? null : state!;
}

const epochsOf = async (run: string): Promise<number[]> =>
  (await readFile(join(run, 'metrics.jsonl'), 'utf8'))
    .trim()
    .split('\n')
    .map((line) => (JSON.parse(line) as { epoch: number }).epoch);

it.runIf(whyNoSlurm === null)(
  'a job is cancelled, one is queued again, a node is lost: the report is that of a local sweep',
  async () => {
    const folder = await temporaryFolder();
    const hold = join(folder, 'hold');
    await writeFile(hold, '');
    await writeFile(join(folder, 'held.ts'), held(hold));
    const configs = await Promise.all(['erm', 'mixup', 'remix', 'remix-drw'].map((name) => heldConfig(folder, name)));
    const set = {
      'model.name': 'mlp',
      'model.width': 16,
      'train.epochs': 12,
      'train.step': 'eager',
      'data.workers': 0,
    };
    await writeFile(join(folder, 'sweep.yaml'), JSON.stringify({ configs, seeds: [0, 1], set }));
    const [, count, array, report] = await submitted(folder);
    expect(count).toBe('8');

    // Runs on both nodes have something to resume, and none ends before they are let go.
    const begun = (runs: readonly Shown[], node: string): Shown[] =>
      runs.filter(({ state, epochs, slurm: task }) => state === 'running' && epochs > 0 && task?.node === node);
    const runs = await until('runs are trained on both nodes', async () => {
      const all = await statusOf(folder);
      return begun(all, 'n1').length === 2 && begun(all, 'n2').length > 0 ? all : null;
    });
    const [cancelled, again] = begun(runs, 'n1') as [Shown, Shown];
    const lost = begun(runs, 'n2')[0]!;
    slurm.command('scancel', cancelled.slurm!.job);
    // It may be told to try later although the signal has come: then it would send it again.
    const signal = spawn('scancel', ['--batch', '--signal=USR1', again.slurm!.job], {
      env: slurm.env,
      stdio: 'ignore',
    });
    slurm.cutNode('n2');
    const restarts = (job: string): string => /Restarts=(\d+)/.exec(slurm.command('scontrol', 'show', 'job', job))![1]!;
    await until('the job is queued again that was asked to stop', () => restarts(again.slurm!.job) === '1');
    signal.kill();
    await until('the cancelled job has ended', () => endOf(cancelled.slurm!.job));
    await until('the node is seen to be lost', () => /down/.test(slurm.command('sinfo', '-h', '-n', 'n2', '-o', '%T')));
    await until('the job of the lost node is queued again', () => restarts(lost.slurm!.job) === '1');
    slurm.startNode('n2');
    await rm(hold);
    await until('the report is written', () => endOf(report!));
    expect(endOf(report!)).toBe('FAILED');
    expect(restarts(again.slurm!.job)).toBe('1');
    expect(restarts(cancelled.slurm!.job)).toBe('0');
    expect(endOf(cancelled.slurm!.job)).toBe('CANCELLED');
    const left = await statusOf(folder);
    expect(left.filter(({ state }) => state !== 'finished')).toMatchObject([{ id: cancelled.id, state: 'unfinished' }]);

    // The same command trains what is left.
    const [, rest, , last] = await submitted(folder);
    expect(rest).toBe('1');
    await until('the report is written again', () => endOf(last!));
    expect(endOf(last!)).toBe('COMPLETED');
    expect((await command(folder, 'sweep', 'sweep.yaml', '--on', 'slurm')).stderr).toContain('nothing to submit');
    for (const { id } of left) {
      expect(await epochsOf(join(folder, 'runs/sweep', id))).toEqual(Array.from({ length: 12 }, (_, i) => i + 1));
    }
    const log = await readFile(
      join(folder, `runs/sweep/sweep/slurm/${array}_${again.slurm!.job.split('_')[1]}.log`),
      'utf8',
    );
    expect(log).toContain('life 2 of 20');

    const local = await command(folder, 'sweep', 'sweep.yaml', '--out', 'local', '--report');
    expect(local.code, local.stderr).toBe(0);
    const figures = async (place: string): Promise<string[][]> =>
      figuresOf(await readFile(join(folder, place, 'report/results.csv'), 'utf8'));
    const trained = await figures('runs/sweep');
    expect(trained).toHaveLength(9);
    expect(trained).toEqual(await figures('local'));
  },
);

it.runIf(whyNoSlurm === null && many > 0)(
  'of many runs ten are killed: each finishes, and none is trained twice',
  async () => {
    const folder = await temporaryFolder();
    const configs = [resolve('configs/digits/erm.yaml')];
    const set = { 'model.name': 'mlp', 'model.width': 8, 'train.epochs': 3, 'train.step': 'eager', 'data.workers': 0 };
    const seeds = Array.from({ length: many }, (_, seed) => seed);
    await writeFile(join(folder, 'sweep.yaml'), JSON.stringify({ configs, seeds, set }));
    const [, , , first] = await submitted(folder);
    const killed = new Set<string>();
    await until(
      'ten jobs are killed',
      () => {
        const running = slurm.command('squeue', '-h', '-r', '-t', 'running', '-o', '%i').match(/\d+_\d+/g) ?? [];
        const job = running.find((id, place) => !killed.has(id) && (killed.size + place) % 3 === 0);
        if (job !== undefined) {
          slurm.command('scancel', '--signal=KILL', job);
          killed.add(job);
        }
        return killed.size === 10;
      },
      3000,
    );
    await until('the report is written', () => endOf(first!), 3000);
    const unfinished = (await statusOf(folder)).filter(({ state }) => state !== 'finished').length;
    console.info(`${many - unfinished} of ${many} runs finished, ${killed.size} jobs were killed`);
    expect(unfinished).toBeGreaterThan(0);
    const [, rest, , last] = await submitted(folder);
    expect(Number(rest)).toBe(unfinished);
    await until('the second report is written', () => endOf(last!), 3000);
    const runs = await statusOf(folder);
    expect(runs.filter(({ state }) => state === 'finished')).toHaveLength(many);
    expect((await readdir(join(folder, 'runs/sweep'))).filter((name) => name.startsWith('erm'))).toHaveLength(many);
    for (const { id } of runs) expect(await epochsOf(join(folder, 'runs/sweep', id))).toEqual([1, 2, 3]);
    const logs = await readdir(join(folder, 'runs/sweep/sweep/slurm'));
    const begun = await Promise.all(
      logs
        .filter((name) => /^\d+_\d+\.log$/.test(name))
        .map((name) => readFile(join(folder, 'runs/sweep/sweep/slurm', name), 'utf8')),
    );
    expect(begun.filter((log) => log.includes('was finished before'))).toHaveLength(0);
  },
  7_200_000,
);
