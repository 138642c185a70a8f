import { expect, test } from 'vitest';
import { mean, median, spread, spreadOf } from '../../src/metrics/statistics.ts';
import reference from '../reference/metrics.json' with { type: 'json' };

test.each(reference.spreads)('NumPy: $values', ({ values, mean, sd, median: middle }) => {
  const got = spread(values);
  expect(got.n).toBe(values.length);
  expect(got.mean).toBeCloseTo(mean, 12);
  expect(Math.abs(got.sd! - sd)).toBeLessThan(1e-15 + sd * 1e-6);
  expect(median(values)).toBeCloseTo(middle, 12);
});

test('by hand: 2 4 4 4 5 5 7 9 has mean 5 and squares 32 over 7', () => {
  expect(spread([2, 4, 4, 4, 5, 5, 7, 9])).toEqual({ mean: 5, sd: Math.sqrt(32 / 7), n: 8 });
  expect(median([9, 1, 5, 4])).toBe(4.5);
});

test('one seed has no spread', () => {
  expect(spread([0.7])).toEqual({ mean: 0.7, sd: null, n: 1 });
});

test('absent values do not count', () => {
  expect(spreadOf([null, 1, undefined, 3])).toEqual({ mean: 2, sd: Math.SQRT2, n: 2 });
  expect(spreadOf([null])).toBeNull();
});

test('no values', () => {
  expect(() => mean([])).toThrow('internal: mean of no values');
  expect(() => median([])).toThrow('internal: median of no values');
});
