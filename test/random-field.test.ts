import { describe, expect, test } from 'vitest';
import { randomField } from '../src/random.ts';

const ROWS = 20_000;

/** Pearson correlation of two lists. */
function correlation(a: readonly number[], b: readonly number[]): number {
  const mean = (v: readonly number[]): number => v.reduce((sum, x) => sum + x, 0) / v.length;
  const [ma, mb] = [mean(a), mean(b)];
  const covariance = mean(a.map((x, i) => (x - ma) * (b[i]! - mb)));
  return covariance / Math.sqrt(mean(a.map((x) => (x - ma) ** 2)) * mean(b.map((x) => (x - mb) ** 2)));
}

const draws = (field: (row: number, draw: number) => number, draw: number, shift = 0): number[] =>
  Array.from({ length: ROWS }, (_, row) => field(row + shift, draw));

describe('randomField', () => {
  test('is a function of key, row and draw', () => {
    expect(draws(randomField(1, 'flip', 3), 0)).toEqual(draws(randomField(1, 'flip', 3), 0));
    expect(randomField(1, 'flip', 3)(0, 0)).not.toBe(randomField(1, 'flip', 4)(0, 0));
    expect(randomField(1, 'flip', 3)(0, 0)).not.toBe(randomField(2, 'flip', 3)(0, 0));
  });

  test.each([9, 16, 256])('is uniform over %i cells (chi-square)', (cells) => {
    for (const draw of [0, 1, 2]) {
      const counts = new Float64Array(cells);
      for (const value of draws(randomField('uniform', draw), draw)) counts[Math.floor(value * cells)]!++;
      const expected = ROWS / cells;
      const chiSquare = counts.reduce((sum, n) => sum + (n - expected) ** 2 / expected, 0);
      // Mean cells − 1, standard deviation √(2·(cells − 1)); five of them on either side.
      expect(Math.abs(chiSquare - (cells - 1))).toBeLessThan(5 * Math.sqrt(2 * (cells - 1)));
    }
  });

  test('rows, draws, epochs and seeds are uncorrelated', () => {
    const field = randomField(0, 'crop', 1);
    const base = draws(field, 0);
    const others = [
      draws(field, 1),
      draws(field, 0, 1),
      draws(field, 0, 2),
      draws(randomField(0, 'crop', 2), 0),
      draws(randomField(1, 'crop', 1), 0),
      draws(randomField(0, 'flip', 1), 0),
    ];
    // The standard deviation of a sample correlation of independent lists is 1/√n.
    for (const other of others) expect(Math.abs(correlation(base, other))).toBeLessThan(5 / Math.sqrt(ROWS));
  });

  test('stays in [0, 1) and is fine enough', () => {
    const values = draws(randomField('range'), 0);
    expect(Math.min(...values)).toBeGreaterThanOrEqual(0);
    expect(Math.max(...values)).toBeLessThan(1);
    expect(new Set(values).size).toBeGreaterThan(ROWS - 10);
  });
});
