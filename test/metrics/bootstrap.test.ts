import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { percentileInterval, resampledDifferences } from '../../src/metrics/bootstrap.ts';
import { mean, spread } from '../../src/metrics/statistics.ts';

// test/reference/bootstrap.py
const cases = JSON.parse(readFileSync(new URL('../reference/bootstrap.json', import.meta.url), 'utf8')) as {
  labels: number[];
  differences: number[];
  interval: [number, number];
  error: number;
}[];

describe('the bootstrap over test images', () => {
  test.each(cases)(
    'has the interval and the standard error of SciPy: $interval',
    ({ labels, differences, ...expected }) => {
      const [resampled] = resampledDifferences([Int8Array.from(differences)], Int32Array.from(labels), 40_000);
      const [low, high] = percentileInterval(resampled!);
      expect(spread([...resampled!]).sd! / expected.error).toBeCloseTo(1, 1);
      // Quantiles of 40,000 resamples: within a fiftieth of the interval, or one step of the least class.
      const close = Math.max((expected.interval[1] - expected.interval[0]) / 50, 1 / labels.length / 10);
      expect(Math.abs(low - expected.interval[0])).toBeLessThan(close);
      expect(Math.abs(high - expected.interval[1])).toBeLessThan(close);
    },
  );

  test('draws the same images for all pairs, so that means of pairs are resamples of the mean', () => {
    const labels = Int32Array.of(0, 0, 0, 1, 1);
    const [a, b] = [Int8Array.of(1, 0, -1, 1, 0), Int8Array.of(-1, 0, 1, -1, 0)];
    const [first, second] = resampledDifferences([a, b], labels, 50);
    for (const [i, value] of first!.entries()) expect(value + second![i]!).toBeCloseTo(0, 12);
    expect(new Set(first).size).toBeGreaterThan(3);
  });

  test('is the same each time, and a point where two runs say the same', () => {
    const labels = Int32Array.of(0, 1, 1);
    const of = (values: number[]) => resampledDifferences([Int8Array.from(values)], labels)[0]!;
    expect(of([1, 0, -1])).toEqual(of([1, 0, -1]));
    expect(percentileInterval(of([0, 0, 0]))).toEqual([0, 0]);
    expect(mean([...of([1, 1, 1])])).toBeCloseTo(1, 12);
  });
});
