import { expect, test } from 'vitest';
import { halve, rungsOf } from '../../src/sweep/halving.ts';

test('rungs are `factor` times the one before, below a whole run', () => {
  expect(rungsOf({ from: 1, factor: 3 }, 27)).toEqual([1, 3, 9]);
  expect(rungsOf({ from: 2, factor: 1.5 }, 10)).toEqual([2, 3, 5, 8]);
  expect(rungsOf({ from: 5, factor: 3 }, 5)).toEqual([]);
});

test('one in `factor` goes on, at least one; of equal ones the first', () => {
  const scored = [0.3, 0.5, 0.5, 0.1, 0.4].map((score, trial) => ({ trial, score }));
  const { kept, pruned } = halve(scored, 3);
  expect(kept.map(({ trial }) => trial)).toEqual([1, 2]);
  expect(pruned.map(({ trial }) => trial)).toEqual([4, 0, 3]);
  expect(halve(scored.slice(0, 1), 4).kept).toHaveLength(1);
});
