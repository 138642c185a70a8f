import { expect, test } from 'vitest';
import { classShares, imageWeights, type SamplingRule } from '../../src/long-tail/sampling-weights.ts';

const counts = [100, 25, 4, 0];

// Shares of the classes in what is drawn by the formulas.
test.each<[SamplingRule, number, string]>([
  ['effective-number', 1, '0.7217 0.1944 0.0839 0.0000'],
  ['class-uniform', 1, '0.3333 0.3333 0.3333 0.0000'],
  ['square-root', 1, '0.5882 0.2941 0.1176 0.0000'],
  ['reverse', 1, '0.0333 0.1333 0.8333 0.0000'],
  ['progressive', 0, '0.7752 0.1938 0.0310 0.0000'],
  ['progressive', 0.5, '0.5543 0.2636 0.1822 0.0000'],
  ['progressive', 1, '0.3333 0.3333 0.3333 0.0000'],
])('%s, %d of the run done: shares %s', (weights, progress, expected) => {
  const shares = classShares(counts, imageWeights(counts, { weights, beta: 0.9 }, progress));
  expect(Array.from(shares, (share) => share.toFixed(4)).join(' ')).toBe(expected);
});

test('progressive weights are those of one image: (1 − t)/N + t/(C·n), C the classes that have images', () => {
  const weights = imageWeights([6, 2, 0], { weights: 'progressive', beta: 0 }, 0.25);
  expect([...weights]).toEqual([0.75 / 8 + 0.25 / 12, 0.75 / 8 + 0.25 / 4, 0]);
});

test('without progress a progressive rule is at its end', () => {
  expect([...imageWeights([6, 2], { weights: 'progressive', beta: 0 })]).toEqual([1 / 12, 1 / 4]);
});
