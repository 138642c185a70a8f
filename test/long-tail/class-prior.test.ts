import { expect, test } from 'vitest';
import { logPrior } from '../../src/long-tail/class-prior.ts';

test('logPrior; a class without images counts as one of a single image', () => {
  expect(Array.from(logPrior([60, 30, 10]))).toEqual([0.6, 0.3, 0.1].map(Math.log));
  expect(Array.from(logPrior([99, 1, 0]))).toEqual([0.99, 0.01, 0.01].map(Math.log));
});
