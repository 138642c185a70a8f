import process from 'node:process';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { z } from 'zod';
import checkpoint from '../../plugins/checkpoint/index.ts';
import { definePlugin, type Plugin } from '../../src/plugin.ts';
import type { Snapshot } from '../../src/run.ts';
import { checkpointPath, writeCheckpoint } from '../../src/tracking/checkpoint.ts';
import { createTrainer, type TrainerOptions } from '../../src/train/trainer.ts';
import { squares, tinyModel } from '../support/squares.ts';
import { temporaryFolder } from '../support/temporary.ts';

let warned: string[] = [];
const hear = ({ code, message }: Error & { code?: string }): void => {
  if (code === 'ROLLED_BACK') warned.push(message);
};
beforeEach(() => {
  warned = [];
  process.on('warning', hear);
});
afterEach(() => {
  process.off('warning', hear);
});

/** A rate at which weights become infinite, the first `times` times that a step is trained; notes how epochs begin. */
function leaping(bad: number, times = 1) {
  let left = times;
  const begins: { epoch: number; state: Snapshot['state']; done: number }[] = [];
  const plugin = definePlugin({
    name: 'leap',
    options: z.strictObject({}),
    apply({ hooks }) {
      hooks.computeLearningRate.tap('leap', (rate, { step, rehearsal }) =>
        !rehearsal && step === bad && left-- > 0 ? 1e39 : rate,
      );
      hooks.onEpochBegin.tap('leap', (epoch, run) => {
        begins.push({ epoch, state: structuredClone(run.snapshot().state), done: run.epochs.length });
      });
    },
  });
  return { plugin: plugin(), begins };
}

/** Trains four epochs of three steps. */
const train = (plugins: readonly Plugin[], changes: Partial<TrainerOptions> = {}) =>
  createTrainer({
    data: squares(),
    model: tinyModel(),
    plugins,
    train: {
      epochs: 4,
      batchSize: 16,
      step: 'eager',
      onNaN: 'rollback',
      optimizer: { name: 'sgd', learningRate: 0.05 },
    },
    ...changes,
  }).run();

test('without a checkpoint to the beginning of the run', async () => {
  const { plugin, begins } = leaping(5);
  const { summary, epochs } = await train([plugin]);
  const reason = expect.stringMatching(/^step 6 \(epoch 2\): expected a finite loss/);
  expect(summary).toMatchObject({ status: 'finished', rollbacks: [{ epoch: 2, to: 0, factor: 0.5, reason }] });
  expect(epochs.map(({ epoch, learningRate }) => [epoch, learningRate])).toEqual([1, 2, 3, 4].map((n) => [n, 0.025]));
  expect(begins.map(({ epoch, done }) => [epoch, done])).toEqual([
    [1, 0],
    [2, 1],
    [1, 0],
    [2, 1],
    [3, 2],
    [4, 3],
  ]);
  expect(begins[2]!.state).toEqual(begins[0]!.state);
  expect(warned).toEqual([
    expect.stringMatching(
      /^step 6 .*\n[\s\S]*\n {2}The run goes back to epoch 0; learning rates are multiplied by 0\.5 from here on \(1 of at most 3\)\.$/,
    ),
  ]);
});

test('to the newest checkpoint, unless it is of an epoch that the run has not come to', async () => {
  const directory = await temporaryFolder();
  const { plugin, begins } = leaping(8);
  const { summary } = await train([plugin, checkpoint({ every: 2 })], { directory });
  expect(summary.rollbacks).toMatchObject([{ epoch: 3, to: 2 }]);
  expect(begins.map(({ epoch }) => epoch)).toEqual([1, 2, 3, 3, 4]);
  expect(begins[3]!.state).toEqual(begins[2]!.state);

  const foreign = await temporaryFolder();
  const { snapshot } = await train([], { train: { epochs: 6, batchSize: 16, step: 'eager' } });
  await writeCheckpoint(checkpointPath(foreign, 6), snapshot!);
  const { summary: other } = await train([leaping(8).plugin], { directory: foreign });
  expect(other.rollbacks).toMatchObject([{ epoch: 3, to: 0 }]);
});

test('in a phase to its beginning and no further: not to a checkpoint of the phase before', async () => {
  const directory = await temporaryFolder();
  const { plugin, begins } = leaping(2);
  const { summary, epochs } = await train([checkpoint()], {
    directory,
    phases: [{ epochs: 2 }, { epochs: 2, model: { reset: ['classifier/kernel'] }, plugins: [plugin] }],
  });
  expect(summary.rollbacks).toMatchObject([{ epoch: 3, to: 2 }]);
  expect(epochs.map(({ epoch, phase }) => [epoch, phase])).toEqual([
    [1, 'phase 1'],
    [2, 'phase 1'],
    [3, 'phase 2'],
    [4, 'phase 2'],
  ]);
  expect(begins.map(({ epoch }) => epoch)).toEqual([1, 1, 2]);
  expect(begins[1]!.state).toEqual(begins[0]!.state);
});

test('plugins go back too, those that span the run among them', async () => {
  const counting = (name: string, spans: 'run' | 'phase') => {
    const counts: number[] = [];
    let count = 0;
    const plugin = definePlugin({
      name,
      options: z.strictObject({}),
      spans,
      apply: ({ hooks }) => {
        hooks.onEpochEnd.tap(name, () => void counts.push(++count));
        return {
          save: () => ({ count }),
          load: (saved) => {
            count = (saved as { count: number }).count;
          },
        };
      },
    });
    return { plugin: plugin(), counts };
  };
  const [all, own] = [counting('all', 'run'), counting('own', 'phase')];
  await train([all.plugin], { phases: [{ epochs: 3, plugins: [leaping(8).plugin, own.plugin] }] });
  expect([all.counts, own.counts]).toEqual([
    [1, 2, 1, 2, 3],
    [1, 2, 1, 2, 3],
  ]);
});

test('where the last step of an epoch made the state infinite, before the epoch counts', async () => {
  const { plugin, begins } = leaping(6);
  const { summary } = await train([plugin]);
  const reason = expect.stringMatching(/^epoch 2: expected finite weights and optimizer state, got/);
  expect(summary.rollbacks).toMatchObject([{ epoch: 2, to: 0, reason }]);
  expect(begins.map(({ epoch }) => epoch)).toEqual([1, 2, 1, 2, 3, 4]);
});

test('no more often than it may; the rates multiply', async () => {
  const back = { factor: 0.5, atMost: 2 };
  const options = { train: { epochs: 2, batchSize: 16, step: 'eager', onNaN: back } } as const;
  await expect(train([leaping(2, 3).plugin], options)).rejects.toThrow(
    /The run went back 2 times before \(train\.onNaN\); learning rates are multiplied by 0\.25 by now\.$/,
  );
  expect(warned.map((message) => message.split('; ').at(-1))).toEqual([
    'learning rates are multiplied by 0.5 from here on (1 of at most 2).',
    'learning rates are multiplied by 0.25 from here on (2 of at most 2).',
  ]);
  const { summary, epochs, snapshot } = await train([leaping(2, 2).plugin], options);
  expect(summary.rollbacks).toHaveLength(2);
  expect(epochs.map(({ learningRate }) => learningRate)).toEqual([0.025, 0.025]);
  // A run that is resumed has gone back as often as its snapshot says.
  await expect(
    train([leaping(2).plugin], { ...options, resume: { ...snapshot!, epoch: 0, step: 0, history: [] } }),
  ).rejects.toThrow(/The run went back 2 times before/);
});
