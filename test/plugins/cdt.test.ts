import fc from 'fast-check';
import { beforeAll, expect, test } from 'vitest';
import cdt, { classTemperatures } from '../../plugins/cdt/index.ts';
import { loadBackend } from '../../src/backend/load.ts';
import { expectSameLoss, lossOf, sixLogits, threeClasses, threeCounts } from '../support/given-logits.ts';
import { describeLoss } from '../support/pytorch-losses.ts';

beforeAll(async () => {
  await loadBackend();
});

const rounded = (values: Iterable<number>): number[] => Array.from(values, (value) => Number(value.toFixed(12)));

describeLoss(cdt);

test('classTemperatures: roots of the ratio to the largest class', () => {
  expect(rounded(classTemperatures([1600, 400, 16], 0.5))).toEqual([1, 2, 10]);
});

test('a rare class’s logit counts half', () => {
  const samples = { classCounts: [400, 100], logits: [0, 2], labels: [1] };
  expect(lossOf([cdt({ gamma: 0.5 })], samples).loss).toBeCloseTo(Math.log(1 + Math.exp(-1)), 6);
});

test('equal counts or factors of 0 are cross-entropy', () => {
  fc.assert(
    fc.property(threeCounts, sixLogits, fc.integer({ min: 1, max: 5000 }), (counts, logits, equal) => {
      expectSameLoss([cdt()], [], threeClasses(logits, [equal, equal, equal]));
      expectSameLoss([cdt({ gamma: 0 })], [], threeClasses(logits, counts));
    }),
    { numRuns: 15 },
  );
});
