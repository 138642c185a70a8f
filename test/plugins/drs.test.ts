import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import drs from '../../plugins/drs/index.ts';
import resample from '../../plugins/resample/index.ts';
import { compose } from '../../src/compose/compose.ts';
import { imageWeights } from '../../src/long-tail/sampling-weights.ts';
import { at, infoWithCounts, warningsOf } from '../support/plugins.ts';
import { type Recorded, recordRun } from '../support/recorded-run.ts';

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
        expect(hooks.computeSamplingWeights.call(null, at(epoch))).toEqual(epoch < firstOn ? null : weights);
      }
    },
  );

  test('says when it never switches on', () => {
    expect(warningsOf([drs()], infoWithCounts(counts, { epochs: 100 }))).toMatchInlineSnapshot(`
      [
        "NO_EFFECT [drs] deferUntil 160 is not before the last epoch, 100: nothing is re-sampled.",
      ]
    `);
    expect(warningsOf([drs({ deferUntil: 100 })], infoWithCounts(counts, { epochs: 100 }))).toEqual([
      'NO_EFFECT [drs] deferUntil 100 is not before the last epoch, 100: nothing is re-sampled.',
    ]);
    expect(warningsOf([drs({ deferUntil: 99 })], infoWithCounts(counts, { epochs: 100 }))).toEqual([]);
  });

  test('refuses a rule that changes over the run', () => {
    expect(() => drs({ weights: 'progressive' as never })).toThrow(z.ZodError);
  });
});

const statesOf = ({ snapshots }: Recorded) => snapshots.map(({ state }) => state);

test('before the switch it is ERM to the bit, afterwards it is resample', async () => {
  const [erm, deferred, sampled] = [
    await recordRun([], { epochs: 4 }),
    await recordRun([drs({ deferUntil: 2, weights: 'class-uniform' })], { epochs: 4 }),
    await recordRun([resample({ weights: 'class-uniform' })], { epochs: 4 }),
  ];
  const half = erm.steps.length / 2;
  expect(deferred.steps.slice(0, half)).toEqual(erm.steps.slice(0, half));
  expect(statesOf(deferred).slice(0, 2)).toEqual(statesOf(erm).slice(0, 2));
  const rows = ({ steps }: Recorded) => steps.slice(half).map(({ batch }) => batch.indices);
  expect(rows(deferred)).toEqual(rows(sampled));
  expect(rows(deferred)).not.toEqual(rows(erm));
  expect(statesOf(deferred)[2]).not.toEqual(statesOf(erm)[2]);
});
