import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { compose } from '../../src/compose/compose.ts';
import type { Hooks } from '../../src/hooks.ts';
import { definePlugin } from '../../src/plugin.ts';
import type { Loss } from '../../src/step/types.ts';
import { verifyAt } from '../../src/train/fit.ts';
import { batchSizesOf } from '../../src/train/phase-program.ts';
import { outcomeOf, tapping } from '../support/faulty.ts';
import { smallInfo } from '../support/info.ts';

test.each([
  [35, 16, false, [16, 3]],
  [35, 16, true, [16]],
  [32, 16, false, [16]],
  [16, 16, false, [16]],
  [8, 16, false, [8]],
  [8, 16, true, []],
])('%d images in batches of %d, dropLast %s: batches of %j', (trainCount, batchSize, dropLast, sizes) => {
  expect(batchSizesOf({ trainCount }, { batchSize, dropLast })).toEqual(sizes);
});

describe('the step is verified where a plugin that builds it taps a hook that may change it', () => {
  /** Verifications before the first step, and after the steps, of one plugin with these taps. */
  function verified(...taps: (keyof Hooks)[]): [number, number] {
    const plugin = definePlugin({
      name: 'taps',
      options: z.strictObject({}),
      apply({ hooks }) {
        for (const hook of taps)
          (hooks[hook] as unknown as { tap(name: string, fn: unknown): void }).tap('taps', () => {});
      },
    });
    let calls = 0;
    const engine = {
      verify: () => {
        calls++;
      },
    };
    const { beforeFirstStep, afterSteps } = verifyAt(compose([plugin()], smallInfo()), engine);
    beforeFirstStep();
    const before = calls;
    afterSteps();
    return [before, calls - before];
  }

  test.each<[(keyof Hooks)[], [number, number]]>([
    [['buildLoss'], [0, 0]],
    [['onBatch'], [0, 0]],
    [
      ['onTrainBegin', 'onEpochBegin'],
      [0, 0],
    ],
    [
      ['buildLoss', 'onTrainBegin'],
      [1, 1],
    ],
    [
      ['buildPrediction', 'onEpochBegin'],
      [1, 1],
    ],
    [
      ['buildLoss', 'onBatch'],
      [0, 1],
    ],
  ])('%j: %j', (taps, expected) => {
    expect(verified(...taps)).toEqual(expected);
  });
});

describe('figures that are not finite end the run in their step, with what is at fault', () => {
  const penalties = (change: (loss: Loss) => Partial<Loss>) =>
    tapping('buildLoss', (loss: Loss) => ({ ...loss, ...change(loss) }));
  const nan = (loss: Loss): Loss['penalties'] => ({
    ...loss.penalties,
    sound: ({ features }) => features.square().mean(),
    faulty: ({ features }) => features.mean().mul(Number.NaN),
  });
  const nanLoss = (loss: Loss): Pick<Loss, 'termLoss'> => ({
    termLoss: (...given) => loss.termLoss(...given).mul(Number.NaN),
  });

  test('a penalty, and not the loss where both are not in the first step', async () => {
    expect(await outcomeOf([penalties((loss) => ({ penalties: nan(loss) }))], 'eager')).toMatchObject({
      code: 'PENALTY_NOT_FINITE',
      message: expect.stringContaining('penalties.faulty'),
    });
    expect(await outcomeOf([penalties((loss) => ({ ...nanLoss(loss), penalties: nan(loss) }))], 'eager')).toMatchObject(
      { code: 'PENALTY_NOT_FINITE' },
    );
    expect(await outcomeOf([penalties(nanLoss)], 'eager')).toMatchObject({ code: 'LOSS_NOT_FINITE' });
  });

  test('the gradient of the first weight', async () => {
    const gradients = tapping(
      'buildGradients',
      (before: (...given: unknown[]) => { gradients: Record<string, { mul(by: number): unknown }> }) =>
        (...given: unknown[]) => {
          const found = before(...given);
          const first = Object.keys(found.gradients)[0]!;
          return { ...found, gradients: { ...found.gradients, [first]: found.gradients[first]!.mul(Number.NaN) } };
        },
    );
    expect(await outcomeOf([gradients], 'eager')).toMatchObject({
      code: 'GRADIENT_NOT_FINITE',
      message: expect.stringContaining('in that of hidden/kernel'),
    });
  });

  test('a batch whose images weigh nothing', async () => {
    const rarest = tapping('computeClassWeights', (weights: Float64Array) => weights.map((_, c) => (c === 3 ? 1 : 0)));
    expect(await outcomeOf([rarest], 'eager', { train: { epochs: 1, batchSize: 1 } })).toMatchObject({
      code: 'CLASS_WEIGHTS',
      message: expect.stringContaining('expected a weight above 0 for some image of the batch; all are 0 in step 1'),
    });
  });
});
