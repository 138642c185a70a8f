import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import drs from '../../plugins/drs/index.ts';
import resample from '../../plugins/resample/index.ts';
import { compose } from '../../src/compose.ts';
import type { BatchResult } from '../../src/hooks.ts';
import { definePlugin, type Plugin } from '../../src/plugin.ts';
import type { Snapshot } from '../../src/run.ts';
import { imageWeights } from '../../src/sampling-weights.ts';
import { createTrainer } from '../../src/trainer.ts';
import { infoWithCounts, warningsOf } from '../support/plugins.ts';
import { squares, tinyModel } from '../support/squares.ts';

const counts = [300, 100, 20];

describe('the switch', () => {
  test.each([
    { deferUntil: 160, epochs: 200, firstOn: 161 },
    { deferUntil: 0.8, epochs: 200, firstOn: 161 },
    { deferUntil: 0.8, epochs: 15, firstOn: 13 },
    { deferUntil: 160, epochs: 400, firstOn: 161 },
    { deferUntil: 0, epochs: 3, firstOn: 1 },
  ])(
    'deferUntil $deferUntil of $epochs epochs re-samples from epoch $firstOn on',
    ({ deferUntil, epochs, firstOn }) => {
      const { hooks } = compose([drs({ deferUntil })], infoWithCounts(counts, { epochs }));
      const weights = imageWeights(counts, { weights: 'effective-number', beta: 0.9999 });
      for (let epoch = 1; epoch <= epochs; epoch++) {
        expect(hooks.computeSamplingWeights.call(null, epoch)).toEqual(epoch < firstOn ? null : weights);
      }
    },
  );

  test('says when it never switches on', () => {
    expect(warningsOf([drs()], infoWithCounts(counts, { epochs: 100 }))).toMatchInlineSnapshot(`
      [
        "NO_EFFECT [drs] deferUntil 160 is not before the last epoch, 100: nothing is re-sampled.",
      ]
    `);
    expect(warningsOf([drs({ deferUntil: 99 })], infoWithCounts(counts, { epochs: 100 }))).toEqual([]);
  });

  test('refuses a rule that changes over the run', () => {
    expect(() => drs({ weights: 'progressive' as never })).toThrow(z.ZodError);
  });
});

/** Steps and end-of-epoch state of a run over four epochs. */
async function train(plugins: readonly Plugin[]) {
  const steps: BatchResult[] = [];
  const states: Snapshot['state'][] = [];
  const observer = definePlugin({
    name: 'observer',
    options: z.strictObject({}),
    apply({ hooks }) {
      hooks.onBatchEnd.tap('observer', (result) => void steps.push(structuredClone(result)));
      hooks.onEpochEnd.tap('observer', (_, run) => void states.push(structuredClone(run.snapshot().state)));
    },
  })();
  await createTrainer({
    data: squares(),
    model: tinyModel(),
    plugins: [...plugins, observer],
    train: { epochs: 4, batchSize: 16, optimizer: { name: 'sgd', learningRate: 0.05 } },
  }).run();
  return { steps, states };
}

test('before the switch it is ERM to the bit, afterwards it is resample', async () => {
  const [erm, deferred, sampled] = [
    await train([]),
    await train([drs({ deferUntil: 2, weights: 'class-uniform' })]),
    await train([resample({ weights: 'class-uniform' })]),
  ];
  const half = erm.steps.length / 2;
  expect(deferred.steps.slice(0, half)).toEqual(erm.steps.slice(0, half));
  expect(deferred.states.slice(0, 2)).toEqual(erm.states.slice(0, 2));
  const rows = ({ steps }: typeof erm) => steps.slice(half).map(({ batch }) => batch.indices);
  expect(rows(deferred)).toEqual(rows(sampled));
  expect(rows(deferred)).not.toEqual(rows(erm));
  expect(deferred.states[2]).not.toEqual(erm.states[2]);
});
