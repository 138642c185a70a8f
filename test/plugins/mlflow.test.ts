import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { paramsOf } from '../../plugins/mlflow/describe.ts';
import { epochFigures, finalFigures, stepMeter } from '../../plugins/mlflow/figures.ts';
import mlflow from '../../plugins/mlflow/index.ts';
import { runName } from '../../plugins/mlflow/recorder.ts';
import { compose } from '../../src/compose.ts';
import type { BatchResult } from '../../src/hooks.ts';
import type { Run } from '../../src/run.ts';
import { checkpointPath } from '../../src/tracking/checkpoint.ts';
import { resolveSettings } from '../../src/tracking/mlflow/settings.ts';
import { readSpool } from '../../src/tracking/spool/read.ts';
import { syncRun } from '../../src/tracking/spool/sync.ts';
import { type FakeMlflow, startFakeMlflow } from '../support/fake-mlflow.ts';
import { smallInfo } from '../support/info.ts';
import { messageOfError } from '../support/message.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { epochMetrics, evaluation, fakeRun } from '../support/tracked-run.ts';

type Options = NonNullable<Parameters<typeof mlflow>[0]>;

let told = '';
beforeEach(() => {
  told = '';
  vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
    told += String(text);
    return true;
  });
});
afterEach(() => void vi.restoreAllMocks());

const hooksOf = (options: Options = {}) => compose([mlflow(options)], smallInfo()).hooks;

async function server(): Promise<FakeMlflow> {
  const fake = await startFakeMlflow();
  onTestFinished(() => fake.stop());
  return fake;
}

const onlyRun = ({ store }: FakeMlflow) => {
  expect(store.runs.size).toBe(1);
  return [...store.runs.values()][0]!;
};

const step = (number: number, changes: Partial<BatchResult> = {}): BatchResult =>
  ({
    epoch: 1,
    step: number,
    stepInEpoch: number,
    batch: { size: 4 },
    learningRate: 0.1,
    loss: number,
    penalties: { sam: 2 * number },
    ...changes,
  }) as BatchResult;

interface Trained {
  run?: Partial<Run>;
  options?: Options;
  epochs?: number[];
  error?: Error;
  atEpoch?: (epoch: number) => Promise<void>;
  writesCheckpoints?: boolean;
}

/** Tells the plugin of a run. */
async function train(
  directory: string,
  { run: changes = {}, options = {}, epochs = [1, 2], error, atEpoch, writesCheckpoints }: Trained = {},
) {
  const run = fakeRun(directory, changes);
  const hooks = hooksOf({ every: 1, ...options });
  if (!existsSync(join(directory, 'config.yaml'))) await writeFile(join(directory, 'config.yaml'), 'name: small\n');
  await hooks.onTrainBegin.promise(run);
  for (const epoch of epochs) {
    await hooks.onEpochBegin.promise(epoch, run);
    for (const n of [1, 2, 3]) hooks.onBatchEnd.call(step(3 * (epoch - 1) + n));
    await hooks.onEpochEnd.promise(epochMetrics(epoch), run);
    if (writesCheckpoints) {
      const path = checkpointPath(directory, epoch);
      await mkdir(dirname(path), { recursive: true });
      await writeFile(path, `weights of epoch ${epoch}`);
      await hooks.onCheckpoint.promise({ path, epoch, step: 3 * epoch }, run);
    }
    await atEpoch?.(epoch);
  }
  if (error) await hooks.onError.promise(error, run);
  else await hooks.onTrainEnd.promise(run.summary(), run);
}

async function linesOf(directory: string) {
  const lines = [];
  for await (const { record } of readSpool(directory)) lines.push(record!);
  return lines;
}

const stepsOf = ({ points }: { points: { key: string; step: number }[] }, key: string) =>
  points.filter((point) => point.key === key).map((point) => point.step);

describe('figures', () => {
  it('have a section for each part, and leave out what was not measured', () => {
    const figures = epochFigures(epochMetrics(1, { validation: evaluation(0.5) }));
    expect(figures).toMatchObject({ 'train/loss': 1, 'test/accuracy': 0.25, 'validation/many': 0.5 });
    for (const key of ['test/medium', 'test/top5', 'train/relabelled_share']) expect(figures).not.toHaveProperty(key);
    for (const key of Object.keys(figures)) expect(key).toMatch(/^(train|test|validation|speed)\//);
  });

  it('of the end say what flatters', () => {
    const summary = { ...fakeRun(null).summary(), bestOnTest: { epoch: 1, accuracy: 0.9, balancedAccuracy: 0.8 } };
    expect(finalFigures(summary as never)).toMatchObject({ 'optimistic/best_on_test_accuracy': 0.9 });
  });

  it('of steps are means over them', () => {
    const meter = stepMeter(2);
    meter.restart(0);
    expect(meter.add(step(1), 500)).toBeNull();
    expect(meter.add(step(2), 1000)).toEqual({
      'step/loss': 1.5,
      'step/learning_rate': 0.1,
      'step/images_per_second': 8,
      'step/penalty/sam': 3,
    });
    meter.add(step(3), 1500);
    expect(meter.add(step(4), 2000)).toMatchObject({ 'step/loss': 3.5, 'step/penalty/sam': 7 });
  });
});

it('parameters are the config, named as --set does; the address of the server stays away', () => {
  const config = {
    seed: 1,
    train: { optimizer: { learningRate: 0.1 }, milestones: [0.6, 0.8] },
    plugins: [
      { use: 'remix', kappa: 3, tau: null },
      { use: 'mlflow', server: 'http://secret', every: 5 },
    ],
  };
  expect(paramsOf({ config, info: fakeRun(null).info })).toEqual({
    seed: '1',
    'train.optimizer.learningRate': '0.1',
    'train.milestones': '[0.6,0.8]',
    'plugins.remix.kappa': '3',
    'plugins.remix.tau': 'null',
    'plugins.mlflow.every': '5',
    plugins: 'remix, mlflow',
  });
});

it('a run is named by what tells it from others', () => {
  expect(runName({ method: 'Remix', seed: 1 })).toBe('Remix seed 1');
  expect(runName({ method: 'Remix', seed: 1 }, 'kappa=4 seed 1')).toBe('Remix kappa=4 seed 1');
});

it('refuses credentials in a config', async () => {
  expect(await messageOfError(async () => hooksOf({ server: 'http://me:secret@host' }))).toMatchInlineSnapshot(
    `"mlflow.server: expected an address without user and password, since the config is kept with every run. Set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD instead."`,
  );
});

describe('without a server', () => {
  it('a run is kept, and sync sends it, with a report of its own making', async () => {
    const directory = await temporaryFolder();
    await train(directory);
    expect(told).toBe('');
    const lines = await linesOf(directory);
    expect(lines.map(({ type }) => type).slice(0, 3)).toEqual(['run', 'params', 'inputs']);
    expect(lines.at(-1)).toMatchObject({ type: 'status', status: 'FINISHED' });
    const fake = await server();
    await syncRun(directory, resolveSettings(fake.url, {}, '/nowhere'));
    expect(onlyRun(fake)).toMatchObject({ name: 'small seed 0', status: 'FINISHED' });
    expect(stepsOf(onlyRun(fake), 'train/loss')).toEqual([1, 2]);
    expect(stepsOf(onlyRun(fake), 'step/loss')).toEqual([1, 2, 3, 4, 5, 6]);
    expect(onlyRun(fake).inputs).toMatchObject([
      { dataset: { digest: 'train-f00' }, tags: [{ value: 'train' }] },
      { dataset: { digest: 'test-ba5' }, tags: [{ value: 'test' }] },
    ]);
  });

  it('a store that is no server is named', async () => {
    const warn = vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
    vi.stubEnv('MLFLOW_TRACKING_URI', 'sqlite:///mlflow.db');
    onTestFinished(() => void vi.unstubAllEnvs());
    const directory = await temporaryFolder();
    await train(directory);
    expect((await linesOf(directory)).at(-1)).toMatchObject({ status: 'FINISHED' });
    warn.mockRestore();
  });

  it('nor a run directory nothing happens', async () => {
    const hooks = hooksOf();
    const run = fakeRun(null);
    await hooks.onTrainBegin.promise(run);
    await hooks.onEpochEnd.promise(epochMetrics(1), run);
    await hooks.onTrainEnd.promise(run.summary(), run);
    expect(told).toBe('');
  });
});

describe('statuses', () => {
  const statusAfter = async (trained: Trained) => {
    const directory = await temporaryFolder();
    await train(directory, trained);
    return (await linesOf(directory)).flatMap((line) => (line.type === 'status' ? [line.status] : []));
  };
  const stopped = (interrupted: boolean): Trained => ({
    run: { interrupted, summary: () => ({ ...fakeRun(null).summary(), status: 'stopped', reason: 'interrupted' }) },
  });

  it('FINISHED, also where a plugin stopped it; KILLED by a signal; FAILED by an error', async () => {
    expect(await statusAfter({})).toEqual(['FINISHED']);
    expect(await statusAfter(stopped(false))).toEqual(['FINISHED']);
    expect(await statusAfter(stopped(true))).toEqual(['KILLED']);
    expect(await statusAfter({ error: new Error('loss') })).toEqual(['FAILED']);
  });

  it('a resumed run goes on: RUNNING, no point twice, its parameters kept, one model for an epoch', async () => {
    const directory = await temporaryFolder();
    const fake = await server();
    const settings = resolveSettings(fake.url, {}, '/nowhere');
    const config = { seed: 0, plugins: [{ use: 'remix', kappa: 3 }] };
    await train(directory, { epochs: [1, 2], error: new Error('power'), run: { config } });
    await syncRun(directory, settings);
    const before = structuredClone(onlyRun(fake).points);
    expect(onlyRun(fake).status).toBe('FAILED');

    const changed = { seed: 0, plugins: [{ use: 'remix', kappa: 4 }] };
    await train(directory, { epochs: [2, 3], run: { resumedFrom: 1, config: changed } });
    await train(directory, { epochs: [], run: { resumedFrom: 3, config: changed } });
    await syncRun(directory, settings);
    const run = onlyRun(fake);
    expect(run.status).toBe('FINISHED');
    expect(stepsOf(run, 'train/loss')).toEqual([1, 2, 3]);
    expect(stepsOf(run, 'step/loss')).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(run.points.slice(0, before.length)).toEqual(before);
    expect(run.params.get('plugins.remix.kappa')).toBe('3');
    expect(run.tags.get('resumed.plugins.remix.kappa')).toBe('4');
    expect(fake.store.models.size).toBe(1);
  });

  it('a run whose process is gone is KILLED by the next sync, at the time of its last line', async () => {
    const directory = await temporaryFolder();
    const hooks = hooksOf({ every: 1 });
    const run = fakeRun(directory);
    await hooks.onTrainBegin.promise(run);
    await hooks.onEpochEnd.promise(epochMetrics(1), run);
    const fake = await server();
    const settings = resolveSettings(fake.url, {}, '/nowhere');
    expect(await syncRun(directory, settings)).toMatchObject({ isRunning: true });
    expect(onlyRun(fake)).toMatchObject({ status: 'RUNNING', endTime: null });
    const last = (await linesOf(directory)).at(-1)!.time;
    // As the lock of a process that was killed.
    await writeFile(
      join(directory, 'mlflow/running.lock'),
      JSON.stringify({ pid: 2 ** 22 + 1, host: (await import('node:os')).hostname() }),
    );
    expect(await syncRun(directory, settings)).toMatchObject({ isRunning: false });
    expect(onlyRun(fake)).toMatchObject({ status: 'KILLED', endTime: last });
  });
});

describe('with a server', () => {
  const quick = { patience: 30 };

  it('a run is sent while it goes on, and its address is told at the end', async () => {
    const fake = await server();
    const directory = await temporaryFolder();
    await train(directory, {
      options: { ...quick, server: fake.url },
      atEpoch: async (epoch) => {
        if (epoch === 2) return;
        await vi.waitUntil(() => [...fake.store.runs.values()][0]?.points.some(({ key }) => key === 'train/loss'), {
          timeout: 30_000,
        });
      },
    });
    const run = onlyRun(fake);
    expect(run.status).toBe('FINISHED');
    expect(told).toBe(`MLflow: ${fake.url}/#/experiments/1/runs/${run.runId}\n`);
    const names = [...fake.store.artifacts.keys()].map((path) => path.replace(/^1\/\w{32}\/artifacts\//, ''));
    expect(names).toEqual(expect.arrayContaining(['config.yaml', 'model_summary.txt', 'per_class.json']));
    expect(run.tags.get('mlflow.loggedArtifacts')).toBe('[{"path":"per_class.json","type":"table"}]');
  });

  it.each([
    ['none', []],
    ['last', [2]],
    ['all', [1, 2]],
  ] as const)('gets checkpoints as asked: %s', async (checkpoints, epochs) => {
    const fake = await server();
    const directory = await temporaryFolder();
    await train(directory, { options: { ...quick, server: fake.url, checkpoints }, writesCheckpoints: true });
    const sent = [...fake.store.artifacts]
      .filter(([path]) => path.includes('/artifacts/checkpoints/') && !path.includes('/models/'))
      .map(([path, bytes]) => [path.split('/').at(-1), String(bytes)]);
    expect(sent.sort()).toEqual(epochs.map((n) => [`epoch-000${n}.safetensors`, `weights of epoch ${n}`]));
    const newest = epochs.length > 0 ? 'checkpoints/epoch-0002.safetensors' : undefined;
    expect(onlyRun(fake).tags.get('mlflow.latest_checkpoint_artifact')).toBe(newest);
  });

  it('one that is away at the beginning and comes later gets everything, once', async () => {
    const fake = await server();
    await fake.stop();
    const directory = await temporaryFolder();
    await train(directory, {
      options: { ...quick, server: fake.url },
      atEpoch: async (epoch) => {
        if (epoch > 1) return;
        await vi.waitUntil(() => told.includes('cannot be reached'), { timeout: 30_000 });
        await fake.start();
      },
    });
    expect(told).toMatch(/nothing listens there\. Start the server, or check the port\. Training goes on/);
    expect(told).toContain('MLflow is back');
    expect(stepsOf(onlyRun(fake), 'train/loss')).toEqual([1, 2]);
    expect(onlyRun(fake).status).toBe('FINISHED');
  });

  it('one that is restarted in mid-run gets what it missed, once', async () => {
    const fake = await server();
    const directory = await temporaryFolder();
    const arrived = (epoch: number) =>
      vi.waitUntil(() => [...fake.store.runs.values()].some((run) => stepsOf(run, 'train/loss').includes(epoch)), {
        timeout: 30_000,
      });
    await train(directory, {
      epochs: [1, 2, 3],
      options: { ...quick, server: fake.url },
      atEpoch: async (epoch) => {
        await arrived(epoch === 2 ? 1 : epoch);
        if (epoch === 1) await fake.stop();
        if (epoch === 2) {
          await vi.waitUntil(() => told.includes('cannot be reached'), { timeout: 30_000 });
          await fake.start();
        }
      },
    });
    const run = onlyRun(fake);
    expect(stepsOf(run, 'train/loss')).toEqual([1, 2, 3]);
    expect(stepsOf(run, 'step/loss')).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(run.status).toBe('FINISHED');
  });

  it('one that is slow is waited for as long as it takes something', async () => {
    const fake = await server();
    fake.fault = () => ({ slowMs: 500 });
    const directory = await temporaryFolder();
    let before = 0;
    await train(directory, {
      options: { patience: 4, server: fake.url },
      atEpoch: async () => {
        await vi.waitUntil(() => fake.store.runs.size === 1, { timeout: 60_000 });
        before = fake.calls.length;
      },
    });
    expect(fake.calls.length - before).toBeGreaterThan(8);
    expect(told).toMatch(/^MLflow: http.*\n$/);
    expect(onlyRun(fake).status).toBe('FINISHED');
  });

  it('one that never answers is not waited for, and the one command for the rest is told', async () => {
    const fake = await server();
    fake.fault = () => 'hang';
    const directory = await temporaryFolder();
    await train(directory, { options: { patience: 0.5, server: fake.url, experiment: 'long tails' } });
    expect(told).toContain('MLflow does not have all of this run: It took nothing for 1 s.\n');
    expect(told).toContain(
      `\nSend the rest: tailmix mlflow sync ${directory} --server ${fake.url} --experiment 'long tails'\n`,
    );
    fake.fault = () => undefined;
    await syncRun(directory, resolveSettings(fake.url, {}, '/nowhere'));
    expect(stepsOf(onlyRun(fake), 'train/loss')).toEqual([1, 2]);
  });

  it('one that wants to know who we are is told so once, and training goes on', async () => {
    const fake = await server();
    fake.fault = () => ({ status: 401, text: 'You are not authenticated.' });
    const directory = await temporaryFolder();
    await train(directory, {
      options: { patience: 0.5, server: fake.url },
      atEpoch: async () => {
        await vi.waitUntil(() => told.includes('Training goes on'), { timeout: 60_000 });
      },
    });
    expect(told.match(/Set MLFLOW_TRACKING_USERNAME/g)!.length).toBeLessThan(3);
    expect(told).toContain('Training goes on');
    expect((await linesOf(directory)).at(-1)).toMatchObject({ status: 'FINISHED' });
  });

  it('a run directory that cannot be written ends tracking, not the run', async () => {
    const directory = await temporaryFolder();
    await writeFile(join(directory, 'mlflow'), 'in the way');
    await train(directory, { options: { server: 'http://127.0.0.1:9' } });
    expect(told).toMatch(/^MLflow: .*Training goes on without it\.\n$/s);
  });
});
