import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { z } from 'zod';
import checkpoint from '../../plugins/checkpoint/index.ts';
import { defaults, registry } from '../../plugins/index.ts';
import tracking from '../../plugins/tracking/index.ts';
import { resolveConfig } from '../../src/config/resolve.ts';
import { withoutConfusion } from '../../src/metrics/summary.ts';
import type { EpochMetrics } from '../../src/metrics/types.ts';
import { definePlugin } from '../../src/plugin.ts';
import type { Snapshot } from '../../src/run.ts';
import { checkpointEpochs, readLatest } from '../../src/tracking/checkpoint.ts';
import { readEpochs, readSummary } from '../../src/tracking/run-directory.ts';
import { createTrainer, type TrainerOptions } from '../../src/train/trainer.ts';
import { temporaryFolder } from '../support/temporary.ts';

/** A rate at one step at which every weight becomes infinite. */
const leapAt = (bad: number) =>
  definePlugin({
    name: 'leap',
    options: z.strictObject({}),
    apply({ hooks }) {
      hooks.computeLearningRate.tap('leap', (rate, { step }) => (step === bad ? 1e39 : rate));
    },
  })();

const settings = {
  data: { name: 'digits', workers: 0 },
  model: { name: 'mlp', width: 4 },
  train: { epochs: 3, step: 'eager', batchSize: 512 },
  evaluate: { every: 3 },
  backend: 'wasm',
} as const;

it('a state that diverged at the last step of an epoch that is not evaluated is no checkpoint, and the last good one stays', async () => {
  const directory = await temporaryFolder();
  const run = async (resume?: Awaited<ReturnType<typeof readLatest>>['snapshot']) =>
    createTrainer({
      ...settings,
      directory,
      plugins: [tracking(), checkpoint({ keep: 1 }), leapAt(8)],
      ...(resume && { resume }),
    }).run();
  await expect(run()).rejects.toMatchObject({ code: 'STATE_NOT_FINITE' });
  expect(await checkpointEpochs(directory)).toEqual([1]);
  const { snapshot } = await readLatest(directory);
  await expect(run(snapshot)).rejects.toMatchObject({ code: 'STATE_NOT_FINITE' });
  expect(await checkpointEpochs(directory)).toEqual([1]);
});

it.each([
  ['whose loss is finite and absurd is warned of, once', 1e5, 1],
  ['that learns is not', null, 0],
])('a run %s', async (_, rate, warnings) => {
  const warned = vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
  onTestFinished(() => warned.mockRestore());
  const high = definePlugin({
    name: 'high',
    options: z.strictObject({}),
    apply({ hooks }) {
      hooks.computeLearningRate.tap('high', (own, { step }) => (rate !== null && step === 1 ? rate : own));
    },
  })();
  const { epochs } = await createTrainer({ ...settings, plugins: [high] }).run();
  const told = warned.mock.calls.filter(([, options]) => (options as { code?: string })?.code === 'LOSS_HIGH');
  expect(epochs.map(({ train }) => Number.isFinite(train.loss))).toEqual([true, true, true]);
  expect(told.map(([message]) => message)).toEqual(
    Array(warnings).fill(
      expect.stringMatching(/^epoch 1: the mean loss is \S+, more than 1000 times that of guessing \(2\.30\)/),
    ),
  );
});

describe('train.onNaN', () => {
  let leaps = 0;

  /** Leaps at a step so many times: what follows is not finite. */
  const leapAgain = (bad: number, rates: number[]) =>
    definePlugin({
      name: 'leap',
      options: z.strictObject({}),
      apply({ hooks }) {
        hooks.computeLearningRate.tap('leap', (rate, { step, rehearsal }) =>
          !rehearsal && step === bad && leaps-- > 0 ? 1e39 : rate,
        );
        hooks.onBatchEnd.tap('leap', ({ learningRate }) => void rates.push(learningRate));
      },
    })();

  const run = async (
    onNaN: NonNullable<NonNullable<TrainerOptions['train']>['onNaN']>,
    bad: number,
    { times = 1, every = 1, resume }: { times?: number; every?: number; resume?: Snapshot } = {},
  ) => {
    const directory = await temporaryFolder();
    const rates: number[] = [];
    const warned = vi.spyOn(process, 'emitWarning').mockReturnValue();
    onTestFinished(() => void warned.mockRestore());
    leaps = times;
    const outcome = await createTrainer({
      ...settings,
      train: { ...settings.train, epochs: 4, onNaN },
      evaluate: { every: 1 },
      directory,
      plugins: [tracking(), checkpoint({ every, keep: 1 }), leapAgain(bad, rates)],
      ...(resume && { resume }),
    })
      .run()
      .catch((error: Error) => error);
    return { directory, outcome, rates, warnings: warned.mock.calls.map(([message]) => String(message)) };
  };
  const finished = ({ outcome }: Awaited<ReturnType<typeof run>>) => {
    if (outcome instanceof Error) throw outcome;
    return outcome;
  };
  const rate = ({ epoch, learningRate }: EpochMetrics) => [epoch, learningRate];
  const timeless = ({ seconds, waitSeconds, imagesPerSecond, ...rest }: EpochMetrics) => ({
    ...rest,
    test: withoutConfusion(rest.test!),
  });

  it('rollback goes back to the newest checkpoint with a lower rate, and says so in summary, metrics and checkpoint', async () => {
    const found = await run('rollback', 10);
    const { summary, epochs } = finished(found);
    expect(summary.rollbacks).toEqual([
      { epoch: 3, to: 2, factor: 0.5, reason: expect.stringContaining('step 11 (epoch 3): expected a finite loss') },
    ]);
    const rates = [
      [1, 0.1],
      [2, 0.1],
      [3, 0.05],
      [4, 0.05],
    ];
    expect(epochs.map(rate)).toEqual(rates);
    expect((await readEpochs(found.directory)).map(rate)).toEqual(rates);
    expect((await readLatest(found.directory)).snapshot.rollbacks).toEqual(summary.rollbacks);
    expect((await readSummary(found.directory))!.rollbacks).toEqual(summary.rollbacks);
    expect(found.warnings).toEqual([
      expect.stringMatching(
        /The run goes back to epoch 2; learning rates are multiplied by 0\.5 .* \(1 of at most 3\)\./,
      ),
    ]);
  });

  it('where there is no checkpoint it goes back to the beginning; with a factor of its own', async () => {
    const { summary, epochs } = finished(await run({ factor: 0.1, atMost: 1 }, 2));
    expect(summary.rollbacks).toMatchObject([{ epoch: 1, to: 0, factor: 0.1 }]);
    expect(epochs).toHaveLength(4);
    for (const { learningRate } of epochs) expect(learningRate).toBeCloseTo(0.01, 12);
  });

  it('a state that diverged in the last step of an epoch is found before the epoch counts; epochs after the checkpoint are trained again', async () => {
    const found = await run({ factor: 0.5, atMost: 1 }, 12, { every: 2 });
    const { summary, epochs } = finished(found);
    expect(summary.rollbacks).toMatchObject([
      { epoch: 3, to: 2, reason: expect.stringContaining('epoch 3: expected finite weights and optimizer state, got') },
    ]);
    const whole = finished(await run('stop', 0));
    expect(epochs.slice(0, 2).map(timeless)).toEqual(whole.epochs.slice(0, 2).map(timeless));
    expect(epochs[2]!.train.loss).not.toBe(whole.epochs[2]!.train.loss);
  });

  it('what was trained after the checkpoint leaves metrics.jsonl', async () => {
    const found = await run('rollback', 14, { every: 2 });
    expect(finished(found).summary.rollbacks).toMatchObject([{ epoch: 4, to: 2 }]);
    expect((await readEpochs(found.directory)).map(rate)).toEqual([
      [1, 0.1],
      [2, 0.1],
      [3, 0.05],
      [4, 0.05],
    ]);
  });

  it('trains from there as a run that is resumed there at the lower rate', async () => {
    const back = await run('rollback', 10, { every: 2 });
    const rollbacks = finished(back).summary.rollbacks!;
    const straight = await run('rollback', 0, { every: 2 });
    const { snapshot } = finished(straight);
    const first = finished(await run('stop', 10, { times: 0, every: 2 }));
    expect(timeless(first.epochs[3]!)).toEqual(timeless(finished(straight).epochs[3]!));
    const directory = (await run('stop', 10, { every: 2 })).directory;
    const { snapshot: second } = await readLatest(directory);
    expect(second.epoch).toBe(2);
    const resumed = finished(await run('rollback', 0, { every: 2, resume: { ...second, rollbacks } }));
    expect(resumed.epochs.map(timeless)).toEqual(finished(back).epochs.map(timeless));
    expect(resumed.snapshot!.state).toEqual(finished(back).snapshot!.state);
    expect(resumed.snapshot!.state).not.toEqual(snapshot!.state);
  });

  it('in a phase without a checkpoint it goes back to the beginning of the phase', async () => {
    leaps = 1;
    const warned = vi.spyOn(process, 'emitWarning').mockReturnValue();
    onTestFinished(() => void warned.mockRestore());
    const { summary, epochs } = await createTrainer({
      ...settings,
      train: { ...settings.train, onNaN: 'rollback' },
      phases: [
        { epochs: 2, plugins: [] },
        { epochs: 2, plugins: [leapAgain(3, [])] },
      ],
    }).run();
    expect(summary.rollbacks).toMatchObject([{ epoch: 3, to: 2 }]);
    expect(epochs.map(rate)).toEqual([
      [1, 0.1],
      [2, 0.1],
      [3, 0.05],
      [4, 0.05],
    ]);
  });

  it('a run that goes on diverging fails of what it failed of, after so many times', async () => {
    const { outcome, directory } = await run({ factor: 0.5, atMost: 2 }, 7, { times: 9 });
    expect(outcome).toMatchObject({ code: 'LOSS_NOT_FINITE' });
    expect((outcome as Error).message).toMatch(
      /^step 8 \(epoch 2\): expected a finite loss[\s\S]*The run went back 2 times before \(train\.onNaN\); learning rates are multiplied by 0\.25 by now\.$/,
    );
    expect(await readSummary(directory)).toMatchObject({ status: 'failed', rollbacks: [{ to: 1 }, { to: 1 }] });
    expect(await checkpointEpochs(directory)).toEqual([1]);
  });

  it('stop is what a run does that says nothing of it, and its hash is what it was', async () => {
    const found = await run('stop', 10);
    expect(found.outcome).toMatchObject({ code: 'LOSS_NOT_FINITE' });
    expect(found.warnings).toEqual([]);
    const config = (train: object) =>
      resolveConfig({ data: { name: 'digits' }, model: { name: 'mlp' }, train }, { registry, defaults });
    const plain = await config({});
    expect(JSON.stringify(plain.resolved)).not.toContain('onNaN');
    expect((await config({ onNaN: 'rollback' })).hash).not.toBe(plain.hash);
  });
});
