import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { paramsOf } from '../../plugins/mlflow/describe.ts';
import { epochFigures, finalFigures, stepMeter } from '../../plugins/mlflow/figures.ts';
import { runName } from '../../plugins/mlflow/recorder.ts';
import { resolveSettings } from '../../src/tracking/mlflow/settings.ts';
import { syncRun } from '../../src/tracking/spool/sync.ts';
import { messageOfError } from '../support/message.ts';
import { hearing, hooksOf, linesOf, onlyRun, server, step, stepsOf, train } from '../support/mlflow-plugin.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { epochMetrics, evaluation, fakeRun } from '../support/tracked-run.ts';

const told = hearing();

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
    expect(Object.keys(finalFigures(summary as never)).join()).not.toContain('validation');
    const chosen = { ...summary, chosenOnValidation: { epoch: 3, accuracy: 0.7, balancedAccuracy: 0.6 } };
    expect(finalFigures(chosen as never)).toMatchObject({
      'final/chosen_on_validation_accuracy': 0.7,
      'final/chosen_on_validation_balanced_accuracy': 0.6,
      'final/chosen_on_validation_epoch': 3,
    });
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
    expect(told()).toBe('');
    const lines = await linesOf(directory);
    expect(lines.map(({ type }) => type).slice(0, 3)).toEqual(['run', 'params', 'inputs']);
    expect(lines.at(-1)).toMatchObject({ type: 'status', status: 'FINISHED' });
    const fake = await server();
    await syncRun(directory, resolveSettings(fake.url, {}, '/nowhere'));
    expect(onlyRun(fake)).toMatchObject({ name: 'small seed 0', status: 'FINISHED' });
    expect(stepsOf(onlyRun(fake), 'train/loss')).toEqual([1, 2]);
    expect(stepsOf(onlyRun(fake), 'step/loss')).toEqual([1, 2, 3, 4, 5, 6]);
    expect(onlyRun(fake).inputs).toMatchObject([
      { dataset: { name: 'squares exp-10 train', digest: 'f00' }, tags: [{ value: 'train' }] },
      { dataset: { name: 'squares test', digest: 'ba5' }, tags: [{ value: 'test' }] },
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
    expect(told()).toBe('');
  });
});
