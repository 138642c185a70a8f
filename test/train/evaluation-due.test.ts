import { expect, test } from 'vitest';
import { z } from 'zod';
import { definePlugin } from '../../src/plugin.ts';
import type { Snapshot } from '../../src/run.ts';
import { createTrainer } from '../../src/train/trainer.ts';
import { squares, tinyModel } from '../support/squares.ts';

/** Epochs of a run that were evaluated; it is stopped in the epoch given. */
async function evaluatedEpochs(epochs: number, every: number, stopIn: number | null = null): Promise<number[]> {
  const stopping = definePlugin({
    name: 'stopping',
    options: z.strictObject({}),
    apply({ hooks }) {
      hooks.onEpochBegin.tap('stopping', (epoch, run) => {
        if (epoch === stopIn) run.stop('enough');
      });
    },
  });
  const { epochs: done } = await createTrainer({
    data: squares([4, 2, 1, 1]),
    model: tinyModel(),
    plugins: [stopping()],
    train: { epochs, batchSize: 8, step: 'eager' },
    evaluate: { every },
  }).run();
  return done.filter((one) => one.test !== null).map(({ epoch }) => epoch);
}

test.each([
  [4, 2, null, [2, 4]],
  [5, 2, null, [2, 4, 5]],
  [3, 9, null, [3]],
  [5, 2, 3, [2, 3]],
  [3, 1, null, [1, 2, 3]],
])('%d epochs, every %d, stopped in %j: %j', async (epochs, every, stopIn, evaluated) => {
  expect(await evaluatedEpochs(epochs, every, stopIn)).toEqual(evaluated);
});

test('a run resumed after its last epoch is evaluated once more, for its confusion matrix', async () => {
  const run = (resume?: Snapshot) =>
    createTrainer({
      data: squares([4, 2, 1, 1]),
      model: tinyModel(),
      train: { epochs: 1, batchSize: 8, step: 'eager' },
      ...(resume && { resume }),
    }).run();
  const whole = await run();
  const over = await run(whole.snapshot!);
  expect(over.summary.last!.confusion!.reduce((sum, [, , images]) => sum + images, 0)).toBe(20);
  expect(over.summary.last).toEqual(whole.summary.last);
});
