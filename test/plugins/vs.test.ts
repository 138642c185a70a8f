import fc from 'fast-check';
import { beforeAll, expect, test } from 'vitest';
import cdt from '../../plugins/cdt/index.ts';
import logitAdjustment from '../../plugins/logit-adjustment/index.ts';
import vs, { vectorScaling } from '../../plugins/vs/index.ts';
import { loadBackend } from '../../src/backend/load.ts';
import { expectSameLoss, sixLogits, threeClasses, threeCounts } from '../support/given-logits.ts';
import { describeLoss } from '../support/pytorch-losses.ts';

beforeAll(async () => {
  await loadBackend();
});

const rounded = (values: Iterable<number>): number[] => Array.from(values, (value) => Number(value.toFixed(12)));

describeLoss(vs);

test('vectorScaling: factors and shifts', () => {
  const { factors, shifts } = vectorScaling([1600, 400, 16], { gamma: 0.5, tau: 2 });
  expect(rounded(factors)).toEqual([1, 0.5, 0.1]);
  expect(rounded(shifts)).toEqual(rounded([1600, 400, 16].map((n) => 2 * Math.log(n / 2016))));
});

test('without gamma is logit adjustment, without tau cdt', () => {
  const power = fc.double({ min: 0, max: 1.5, noNaN: true });
  fc.assert(
    fc.property(threeCounts, sixLogits, power, (counts, logits, x) => {
      const samples = threeClasses(logits, counts);
      expectSameLoss([vs({ gamma: 0, tau: x })], [logitAdjustment({ tau: x })], samples);
      expectSameLoss([vs({ gamma: x, tau: 0 })], [cdt({ gamma: x })], samples);
    }),
    { numRuns: 15 },
  );
});

test('equal counts or factors of 0 are cross-entropy', () => {
  fc.assert(
    fc.property(threeCounts, sixLogits, fc.integer({ min: 1, max: 5000 }), (counts, logits, equal) => {
      expectSameLoss([vs()], [], threeClasses(logits, [equal, equal, equal]));
      expectSameLoss([vs({ gamma: 0, tau: 0 })], [], threeClasses(logits, counts));
    }),
    { numRuns: 15 },
  );
});
