import { expect, test } from 'vitest';
import type { Hooks } from '../../src/hooks.ts';
import type { Plugin } from '../../src/plugin.ts';
import type { Loss } from '../../src/step/types.ts';
import { createTrainer } from '../../src/train/trainer.ts';
import { faulty, outcomeOf, tapping } from '../support/faulty.ts';
import { squares, tinyModel } from '../support/squares.ts';
import { describeNative } from './captured-support.ts';

const train = async (plugin: Plugin, step: 'eager' | 'captured') => {
  const { epochs, summary } = await createTrainer({
    data: squares([10, 5, 3, 2]),
    model: tinyModel(),
    plugins: [plugin],
    train: { epochs: 2, batchSize: 8, step, optimizer: { name: 'sgd', learningRate: 0.01 } },
  }).run();
  return { mode: summary.stepMode, losses: epochs.map(({ train: { loss } }) => loss) };
};

/** A class weight that is known only once its hook has been called, and of the batch's length. */
const late = () =>
  faulty({
    apply({ hooks }: { hooks: Hooks }) {
      let labels: Int32Array | undefined;
      hooks.onBatch.tap('faulty', (batch) => {
        labels = batch.labels;
        return batch;
      });
      hooks.buildLoss.tap('faulty', (before) => ({
        ...before,
        termLoss: (...given) => before.termLoss(...given).mul(Array.from(labels!, (label) => label + 1)),
      }));
    },
  });

test('an eager function may use what hooks of the step have set', async () => {
  const { mode, losses } = await train(late(), 'eager');
  expect(mode).toBe('eager');
  expect(losses.every(Number.isFinite)).toBe(true);
});

describeNative('captured', () => {
  test('a schedule may be undefined beyond the last epoch', async () => {
    const polynomial = () =>
      tapping(
        'computeLearningRate',
        (rate: number, { epoch }: { epoch: number }) => rate * (1 - (epoch - 1) / 2) ** 0.9,
      );
    const { mode, losses } = await train(polynomial(), 'captured');
    expect(mode).toBe('captured');
    expect((await train(polynomial(), 'eager')).losses).toEqual(losses.map((loss) => expect.closeTo(loss, 5)));
  });

  test('in auto, a fault of a variant is known before the first step, and no reason to go on eagerly', async () => {
    const wrong = tapping(
      'buildLoss',
      (before: Loss): Loss => ({
        ...before,
        termLoss: (...given) =>
          given[2].variants.depth === 'two' ? before.termLoss(...given).mean() : before.termLoss(...given),
      }),
      { variants: () => ({ depth: ['one', 'two'] }) },
    );
    expect(await outcomeOf([wrong], 'auto')).toMatchObject({
      code: 'RETURNED_WRONG',
      plugin: 'faulty',
      hook: 'buildLoss',
      message: expect.stringMatching(
        /^\[faulty] buildLoss, termLoss: expected float32 \[batch] = \[8]; got a float32 scalar/,
      ),
    });
  });
});
