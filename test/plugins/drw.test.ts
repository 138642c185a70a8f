import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import drw, { deferredClassWeights } from '../../plugins/drw/index.ts';
import reweight from '../../plugins/reweight/index.ts';
import { compose } from '../../src/compose/compose.ts';
import { effectiveNumberWeights } from '../../src/long-tail/class-weights.ts';
import { CIFAR10_LT_100, classWeightsIn, infoWithCounts, warningsOf } from '../support/plugins.ts';
import { recordRun } from '../support/recorded-run.ts';

const counts = [300, 100, 20];
const on = Array.from(effectiveNumberWeights(counts, 0.9999));
const weightsIn = (epoch: number, epochs: number, options?: Parameters<typeof drw>[0]): number[] =>
  classWeightsIn(compose([drw(options)], infoWithCounts(counts, { epochs })), 3, epoch);

test('deferredClassWeights is 1 up to the switch and effective-number weights after it (CIFAR-10 LT, ratio 100)', () => {
  expect(Array.from(deferredClassWeights(CIFAR10_LT_100, 160, 160, 0.9999))).toEqual(Array(10).fill(1));
  expect(
    Array.from(deferredClassWeights(CIFAR10_LT_100, 161, 160, 0.9999), (weight) => weight.toFixed(4)).join(' '),
  ).toBe('0.0506 0.0769 0.1211 0.1950 0.3188 0.5246 0.8683 1.4426 2.4092 3.9927');
});

describe('the switch', () => {
  test.each([
    { deferUntil: 160, epochs: 200, firstOn: 161 },
    { deferUntil: 0.8, epochs: 200, firstOn: 161 },
    { deferUntil: 250, epochs: 300, firstOn: 251 },
    // A run of 400 epochs stays on to its end: the papers' code indexes a list of two by epoch / 160.
    { deferUntil: 160, epochs: 400, firstOn: 161 },
    { deferUntil: 0.8, epochs: 400, firstOn: 321 },
    { deferUntil: 0.8, epochs: 15, firstOn: 13 },
    { deferUntil: 0.8, epochs: 3, firstOn: 3 },
    { deferUntil: 0, epochs: 3, firstOn: 1 },
  ])(
    'deferUntil $deferUntil of $epochs epochs is on from epoch $firstOn to the end',
    ({ deferUntil, epochs, firstOn }) => {
      const composition = compose([drw({ deferUntil })], infoWithCounts(counts, { epochs }));
      for (let epoch = 1; epoch <= epochs; epoch++) {
        expect(classWeightsIn(composition, 3, epoch)).toEqual(epoch < firstOn ? [1, 1, 1] : on);
      }
    },
  );

  test('a run of any length switches once, at the stated epoch, and stays on', () => {
    const moment = fc.oneof(fc.integer({ min: 0, max: 700 }), fc.double({ min: 0.001, max: 0.999, noNaN: true }));
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 600 }), moment, (epochs, deferUntil) => {
        const last = deferUntil < 1 ? Math.round(deferUntil * epochs) : deferUntil;
        const composition = compose([drw({ deferUntil })], infoWithCounts(counts, { epochs }));
        for (const epoch of [1, last, last + 1, epochs].filter((epoch) => epoch >= 1 && epoch <= epochs)) {
          expect(classWeightsIn(composition, 3, epoch)).toEqual(epoch <= last ? [1, 1, 1] : on);
        }
      }),
    );
  });

  test('the default is the 161st epoch', () => {
    expect(weightsIn(160, 200)).toEqual([1, 1, 1]);
    expect(weightsIn(161, 200)).toEqual(on);
  });
});

test('before the switch a run is ERM to the bit, and its images stay so', async () => {
  const [erm, deferred] = [
    await recordRun([], { epochs: 4 }),
    await recordRun([drw({ deferUntil: 2, beta: 0.9 })], { epochs: 4 }),
  ];
  expect(deferred.steps.slice(0, 2)).toEqual(erm.steps.slice(0, 2));
  expect(deferred.snapshots[1]!.state).toEqual(erm.snapshots[1]!.state);
  expect(deferred.steps.map(({ batch }) => batch)).toEqual(erm.steps.map(({ batch }) => batch));
  expect(deferred.steps[2]!.loss).not.toBe(erm.steps[2]!.loss);
});

test('multiplies what another plugin decided', () => {
  const composition = compose(
    [reweight({ weights: 'custom', custom: [1, 2, 3] }), drw({ deferUntil: 1 })],
    infoWithCounts(counts, { epochs: 2 }),
  );
  expect(classWeightsIn(composition, 3, 1)).toEqual([1, 2, 3]);
  expect(classWeightsIn(composition, 3, 2)).toEqual([on[0], 2 * on[1]!, 3 * on[2]!]);
});

test('says when it never switches on', () => {
  const warnings = (deferUntil: number, epochs: number) =>
    warningsOf([drw({ deferUntil })], infoWithCounts(counts, { epochs }));
  expect(warnings(160, 100)).toMatchInlineSnapshot(`
    [
      "NO_EFFECT [drw] deferUntil 160 is not before the last epoch, 100: the weights never change.",
    ]
  `);
  expect(warnings(100, 100)).toHaveLength(1);
  expect(warnings(99, 100)).toEqual([]);
  expect(warnings(0.9, 2)).toHaveLength(1);
});
