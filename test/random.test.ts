import { describe, expect, test } from 'vitest';
import { randomStream } from '../src/random.ts';

const draws = <T>(n: number, draw: () => T): T[] => Array.from({ length: n }, draw);
const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;
const variance = (values: readonly number[]): number => {
  const average = mean(values);
  return mean(values.map((value) => (value - average) ** 2));
};

describe('named streams', () => {
  test('equal keys give equal streams, whatever was drawn elsewhere', () => {
    const first = draws(5, randomStream(0, 'mixup', 1, 2).uniform);
    randomStream(0, 'other', 1, 2).permutation(100);
    expect(draws(5, randomStream(0, 'mixup', 1, 2).uniform)).toEqual(first);
  });

  test('keys that differ in any part, or only in how they are cut, give other streams', () => {
    const keys = [
      [0, 'mixup', 1, 2],
      [1, 'mixup', 1, 2],
      [0, 'remix', 1, 2],
      [0, 'mixup', 2, 1],
      [0, 'mixup', 12],
      [0, 'mixup1', 2],
    ];
    expect(new Set(keys.map((key) => randomStream(...key).uniform())).size).toBe(keys.length);
  });

  test('first draws of 20,000 neighbouring keys are spread evenly and uncorrelated', () => {
    const first = draws(20_000, () => 0).map((_, step) => randomStream(0, 'mixup', 1, step).uniform());
    const bins = new Array<number>(20).fill(0);
    for (const value of first) bins[Math.floor(value * 20)]!++;
    const chiSquare = bins.reduce((sum, count) => sum + (count - 1000) ** 2 / 1000, 0);
    expect(chiSquare).toBeLessThan(43.8); // 19 degrees of freedom, p = 0.001
    const products = first.slice(1).map((value, i) => (value - 0.5) * (first[i]! - 0.5));
    expect(Math.abs(mean(products)) / Math.sqrt(variance(products) / products.length)).toBeLessThan(3.3);
  });
});

describe('distributions', () => {
  test.each([
    [1, 1],
    [0.4, 0.4],
    [2, 5],
    [0.1, 1],
  ])('beta(%f, %f) has its mean and variance', (a, b) => {
    const random = randomStream('beta', a, b);
    const values = draws(40_000, () => random.beta(a, b));
    const expectedVariance = (a * b) / ((a + b) ** 2 * (a + b + 1));
    expect(Math.abs(mean(values) - a / (a + b))).toBeLessThan(4 * Math.sqrt(expectedVariance / values.length));
    expect(variance(values) / expectedVariance).toBeCloseTo(1, 1);
  });

  test('beta of tiny parameters stays a number in 0…1', () => {
    const random = randomStream('tiny');
    for (const parameter of [0.001, 1e-300, 5e-324]) {
      for (const value of draws(2000, () => random.beta(parameter, parameter))) {
        expect(value >= 0 && value <= 1).toBe(true);
      }
    }
  });

  test('normal has mean 0, variance 1 and the normal kurtosis', () => {
    const random = randomStream('normal');
    const values = draws(40_000, random.normal);
    expect(Math.abs(mean(values))).toBeLessThan(0.02);
    expect(variance(values)).toBeCloseTo(1, 1);
    expect(mean(values.map((value) => value ** 4))).toBeCloseTo(3, 0);
  });

  test('every permutation of three comes up equally often', () => {
    const random = randomStream('permutation');
    const counts = new Map<string, number>();
    for (const order of draws(12_000, () => random.permutation(3).join('')))
      counts.set(order, (counts.get(order) ?? 0) + 1);
    expect([...counts.keys()].sort()).toEqual(['012', '021', '102', '120', '201', '210']);
    const chiSquare = [...counts.values()].reduce((sum, count) => sum + (count - 2000) ** 2 / 2000, 0);
    expect(chiSquare).toBeLessThan(20.5); // 5 degrees of freedom, p = 0.001
  });
});
