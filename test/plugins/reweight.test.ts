import { expect, test } from 'vitest';
import { z } from 'zod';
import reweight, { classWeightsOf } from '../../plugins/reweight/index.ts';
import { compose } from '../../src/compose/compose.ts';
import { CIFAR10_LT_100, classWeightsIn, infoWithCounts, warningsOf } from '../support/plugins.ts';

const inWords = (weights: ArrayLike<number>): string => Array.from(weights, (weight) => weight.toFixed(4)).join(' ');
const weightsOf = (options: Parameters<typeof reweight>[0], epoch = 1, counts = CIFAR10_LT_100): number[] =>
  classWeightsIn(compose([reweight(options)], infoWithCounts(counts)), counts.length, epoch);

test('effective number by default, from the first epoch on (CIFAR-10 LT, ratio 100)', () => {
  const fixture = '0.0506 0.0769 0.1211 0.1950 0.3188 0.5246 0.8683 1.4426 2.4092 3.9927';
  expect(inWords(weightsOf({}))).toBe(fixture);
  expect(inWords(weightsOf({}, 2))).toBe(fixture);
});

test('inverse frequency (CIFAR-10 LT, ratio 100)', () => {
  expect(inWords(weightsOf({ weights: 'inverse' }))).toBe(
    '0.0402 0.0671 0.1120 0.1868 0.3119 0.5199 0.8672 1.4474 2.4239 4.0236',
  );
});

test('gamma 0.5 is the square-root form, by hand: counts 16, 4, 1 weigh 1/4, 1/2, 1', () => {
  expect(weightsOf({ weights: 'inverse', gamma: 0.5 }, 1, [16, 4, 1])).toEqual([3 / 7, 6 / 7, 12 / 7]);
});

test('custom weights are taken as they are', () => {
  expect(weightsOf({ weights: 'custom', custom: [1, 1, 5] }, 1, [16, 4, 1])).toEqual([1, 1, 5]);
});

test('custom weights must be one per class', () => {
  const options = { weights: 'custom' as const, beta: 0.9999, gamma: 1 };
  expect(() => classWeightsOf([16, 4, 1], { ...options, custom: [1, 2] })).toThrowErrorMatchingInlineSnapshot(
    `[TailmixError: reweight.custom: expected 3 weights, one per class; got 2. List them in label order.]`,
  );
  expect(() => classWeightsOf([16, 4, 1], options)).toThrowErrorMatchingInlineSnapshot(
    `[TailmixError: reweight.custom: expected 3 weights, one per class; got 0. List them in label order.]`,
  );
  expect(() => reweight({ custom: [1, 0] })).toThrow(z.ZodError);
});

test('says when a custom list is not used', () => {
  expect(warningsOf([reweight({ custom: [1, 2, 3] })], infoWithCounts([16, 4, 1]))).toMatchInlineSnapshot(`
    [
      "NO_EFFECT [reweight] custom is set but weights is "effective-number": the list is not used.",
    ]
  `);
  const used = reweight({ weights: 'custom', custom: [1, 2, 3] });
  expect(warningsOf([used], infoWithCounts([16, 4, 1]))).toEqual([]);
});
