import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import { view } from '../../../plugins/mlflow/view.ts';
import { runCommand } from '../../../src/backend/run-command.ts';
import { PROGRESS_VARIABLE, type ProgressMessage } from '../../../src/tracking/progress-message.ts';
import {
  epochsOf,
  expectedArtifacts,
  expectedMetrics,
  expectedParams,
  expectedTags,
} from '../../support/real-mlflow/expected.ts';
import { type ReadRun, readExperiment } from '../../support/real-mlflow/read.ts';
import { hasMlflow, type RealMlflow, startMlflow } from '../../support/real-mlflow/server.ts';
import { temporaryFolder } from '../../support/temporary.ts';

const launcher = join(import.meta.dirname, '../../../bin/tailmix.mjs');
const EVERY = 7;

const config = (epochs: number): string => `name: proof
method: "Remix: proof"
data: { name: digits, ratio: 100, workers: 0 }
model: { name: mlp, width: 16 }
train: { epochs: ${epochs}, step: eager, batchSize: 64 }
plugins: [{ use: mixup }, { use: remix }, { use: mlflow, every: ${EVERY}, patience: 120 }]
`;

/** A run as a user starts it, whose progress is seen. */
interface Started {
  child: ChildProcess;
  /** Epochs that are done. */
  readonly epochs: number;
  /** Epoch that is under way. */
  readonly current: number;
  readonly said: string;
  ended: Promise<{ code: number | null; signal: string | null }>;
}

function tailmix(folder: string, env: Record<string, string>, ...args: string[]): Started {
  const child = fork(launcher, args, {
    cwd: folder,
    env: { ...process.env, TAILMIX_BACKEND: 'wasm', [PROGRESS_VARIABLE]: 'ipc', ...env },
    execArgv: [],
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  let epochs = 0;
  let said = '';
  let current = 0;
  child.on('message', ({ epoch, metrics }: ProgressMessage) => {
    if (metrics) epochs = metrics.epoch;
    else current = epoch;
  });
  child.stderr!.setEncoding('utf8').on('data', (text) => (said += text));
  return {
    child,
    get epochs() {
      return epochs;
    },
    get current() {
      return current;
    },
    get said() {
      return said;
    },
    ended: once(child, 'close').then(([code, signal]) => ({ code, signal })),
  };
}

const LIMIT = { timeout: 180_000, interval: 20 };
const reaches = (run: Started, epoch: number) =>
  vi.waitFor(() => {
    if (run.child.exitCode !== null) throw new Error(`it ended: ${run.said}`);
    expect(run.epochs).toBeGreaterThanOrEqual(epoch);
  }, LIMIT);

/** A folder that is a repository with a config in it. */
async function project(epochs: number): Promise<{ folder: string; directory: string; commit: string }> {
  const folder = await temporaryFolder();
  await writeFile(join(folder, 'proof.yaml'), config(epochs));
  const git = async (...args: string[]): Promise<string> => {
    const identity = ['-c', 'user.name=me', '-c', 'user.email=me@localhost'];
    const { code, stdout, stderr } = await runCommand(['git', ...identity, ...args], { cwd: folder });
    expect(code, stderr).toBe(0);
    return stdout.trim();
  };
  await git('init', '--quiet', '--initial-branch', 'trunk');
  await git('add', '.');
  await git('commit', '--quiet', '--message', 'proof');
  return { folder, directory: join(folder, 'run'), commit: await git('rev-parse', 'HEAD') };
}

const json = async (...path: string[]) => JSON.parse(await readFile(join(...path), 'utf8'));

/** Compares all that MLflow has of a run with the run's directory. */
async function compare(read: ReadRun, directory: string, status = 'FINISHED'): Promise<void> {
  expect(read.name).toBe('Remix: proof seed 0');
  expect(read.status).toBe(status);
  expect(read.endTime).toBeGreaterThan(read.startTime);

  const epochs = await epochsOf(directory);
  const steps: Record<string, number[]> = {};
  const others: Record<string, [number, number | string][]> = {};
  for (const [key, points] of Object.entries(read.metrics)) {
    const times = points.map(([, , time]) => time);
    expect(times, key).toEqual(times.toSorted((a, b) => a - b));
    expect(times[0], key).toBeGreaterThanOrEqual(read.startTime);
    expect(times.at(-1), key).toBeLessThanOrEqual(read.endTime!);
    if (key.startsWith('step/')) steps[key] = points.map(([step]) => step);
    else others[key] = points.map(([step, value]) => [step, value]);
  }
  expect(others).toEqual(await expectedMetrics(directory));
  const due = Array.from({ length: Math.floor(epochs.at(-1)!.step / EVERY) }, (_, i) => EVERY * (i + 1));
  expect(steps).toEqual({ 'step/loss': due, 'step/learning_rate': due, 'step/images_per_second': due });

  expect(read.params).toEqual(await expectedParams(directory));
  expect(read.tags).toMatchObject(await expectedTags(directory));
  expect(read.artifacts).toEqual(await expectedArtifacts(directory));

  const { hash, trainCount, classCounts } = await json(directory, 'subset.json');
  const { last } = await json(directory, 'summary.json');
  const sets = Object.fromEntries(read.datasets.map((dataset) => [dataset.context, dataset]));
  expect(Object.keys(sets).sort()).toEqual(['test', 'train']);
  expect(sets.train).toMatchObject({ name: 'digits exp-100 train', digest: hash.slice(0, 8) });
  expect(JSON.parse(sets.train!.profile!)).toMatchObject({ num_rows: trainCount, class_counts: classCounts });
  expect(JSON.parse(sets.test!.profile!)).toEqual({ num_rows: last.count, num_classes: 10 });
  expect(sets.test!.name).toBe('digits test');

  if (status !== 'FINISHED') return void expect(read.models).toEqual([]);
  expect(read.models).toHaveLength(1);
  const [model] = read.models;
  expect(model).toMatchObject({ name: 'Remix- proof', status: 'READY', step: epochs.length });
  const tested = Object.entries(others).filter(([key]) => key.startsWith('test/'));
  expect(model!.metrics).toEqual(tested.map(([key, points]) => [key, ...points.at(-1)!]).sort());
}

describe.skipIf(!hasMlflow('no training is tracked by a real MLflow server'))('a training run in MLflow', () => {
  let server: RealMlflow;
  beforeAll(async () => {
    server = await startMlflow();
  });
  afterAll(() => server?.remove());

  const own = (env: Record<string, string>, experiment: string) => ({ ...env, MLFLOW_EXPERIMENT_NAME: experiment });
  const onlyRun = async (from: RealMlflow, experiment: string): Promise<ReadRun> => {
    const { experiment: found, runs } = await readExperiment(from, experiment);
    expect(found.tags).toMatchObject({ 'mlflow.experimentKind': 'custom_model_development', [view.key]: view.value });
    expect(runs).toHaveLength(1);
    return runs[0]!;
  };

  it('is there as it is in its directory', async () => {
    const { folder, directory, commit } = await project(3);
    const run = tailmix(folder, own(server.env, 'whole'), 'train', 'proof.yaml', '--out', 'run');
    expect(await run.ended, run.said).toEqual({ code: 0, signal: null });
    const read = await onlyRun(server, 'whole');
    expect(run.said).toContain(`${server.url}/#/experiments/`);
    expect(run.said).toContain(`/runs/${read.runId}`);
    await compare(read, directory);
    expect(read.tags).toMatchObject({
      'mlflow.user': userInfo().username,
      'mlflow.source.type': 'LOCAL',
      'mlflow.source.git.commit': commit,
      'mlflow.source.git.branch': 'trunk',
      'mlflow.source.git.dirty': 'false',
      'mlflow.loggedArtifacts': JSON.stringify([{ path: 'per_class.json', type: 'table' }]),
    });
  }, 240_000);

  it('is there whole after the server was killed and started again while it went on', async () => {
    const { folder, directory } = await project(40);
    const other = await startMlflow();
    onTestFinished(() => other.remove());
    const run = tailmix(folder, own(other.env, 'killed server'), 'train', 'proof.yaml', '--out', 'run');
    await vi.waitFor(async () => {
      const { servers } = await json(directory, 'mlflow/sent.json');
      expect(servers[other.url].sent).toBeGreaterThan(0);
    }, LIMIT);
    run.child.kill('SIGSTOP');
    await other.kill();
    const before = run.epochs;
    expect(before).toBeLessThan(30);
    run.child.kill('SIGCONT');
    await reaches(run, before + 2);
    await vi.waitFor(() => expect(run.said).toContain('Training continues'), LIMIT);
    // So that it is still under way when the server is back, on any machine.
    run.child.kill('SIGSTOP');
    await other.start();
    run.child.kill('SIGCONT');
    expect(await run.ended, run.said).toEqual({ code: 0, signal: null });
    expect(run.said).toContain('MLflow is back');
    await compare(await onlyRun(other, 'killed server'), directory);
  }, 400_000);

  it('is sent by a command after it was killed, and goes on there when it is resumed', async () => {
    const { folder, directory } = await project(10);
    const away = { MLFLOW_TRACKING_URI: 'http://127.0.0.1:9', MLFLOW_EXPERIMENT_NAME: 'killed run' };
    const run = tailmix(folder, away, 'train', 'proof.yaml', '--out', 'run');
    // In mid-epoch: what an epoch leaves is written one file after the other.
    await vi.waitFor(() => expect(run.current).toBeGreaterThan(3), LIMIT);
    run.child.kill('SIGKILL');
    expect(await run.ended).toEqual({ code: null, signal: 'SIGKILL' });
    const done = (await epochsOf(directory)).length;

    const sync = tailmix(folder, server.env, 'mlflow', 'sync', 'run');
    expect(await sync.ended, sync.said).toEqual({ code: 0, signal: null });
    const killed = await onlyRun(server, 'killed run');
    expect(killed.status).toBe('KILLED');
    const sent = killed.metrics['train/loss']!.map(([step, value]) => [step, value]);
    const written = (await epochsOf(directory)).map(({ epoch, train }) => [epoch, train.loss]);
    expect(sent).toEqual(written.slice(0, sent.length));
    // A kill may fall between the two files of an epoch; the resumed run adds what the second one lacks.
    expect(written.length - sent.length).toBeLessThanOrEqual(1);
    const times = Object.values(killed.metrics).flatMap((points) => points.map(([, , time]) => time));
    expect(killed.endTime).toBe(Math.max(...times));

    const resumed = tailmix(folder, own(server.env, 'killed run'), 'train', '--resume', 'run');
    expect(await resumed.ended, resumed.said).toEqual({ code: 0, signal: null });
    expect((await epochsOf(directory)).length).toBeGreaterThan(done);
    const read = await onlyRun(server, 'killed run');
    expect(read.runId).toBe(killed.runId);
    await compare(read, directory);
  }, 400_000);

  it('is there as it is in its directory when the server wants user and password', async () => {
    const { folder, directory } = await project(2);
    const guarded = await startMlflow({ auth: true });
    onTestFinished(() => guarded.remove());
    const stranger = tailmix(folder, { MLFLOW_TRACKING_URI: guarded.url }, 'train', 'proof.yaml', '--out', 'other');
    const run = tailmix(folder, own(guarded.env, 'guarded'), 'train', 'proof.yaml', '--out', 'run');
    expect(await run.ended, run.said).toEqual({ code: 0, signal: null });
    await compare(await onlyRun(guarded, 'guarded'), directory);
    expect(await readFile(join(directory, 'config.yaml'), 'utf8')).not.toContain('password');
    // Who is not let in trains on, and is told what to do.
    expect((await stranger.ended).code, stranger.said).toBe(0);
    expect(stranger.said).toMatch(/401.*MLFLOW_TRACKING_USERNAME/s);
    expect(stranger.said).toContain('Send the rest: tailmix mlflow sync other');
  }, 400_000);
});
