import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { holm, pairedDifference, rankTest } from '../../src/metrics/paired.ts';

interface Reference {
  paired: { differences: number[]; p: number; interval: [number, number] }[];
  holm: { p: number[]; adjusted: number[] }[];
  ranks: { values: number[][]; statistic: number; p: number; meanRanks: number[]; criticalDifference: number }[];
  nemenyi: { methods: number; q: number }[];
}

// test/reference/paired.py
const reference: Reference = JSON.parse(
  readFileSync(new URL('../reference/paired.json', import.meta.url), 'utf8'),
) as Reference;

const close = (values: readonly number[], digits = 7) => values.map((value) => expect.closeTo(value, digits));

describe('paired differences', () => {
  test.each(reference.paired)('$differences: SciPy has the same p and interval', ({ differences, p, interval }) => {
    const result = pairedDifference(differences);
    expect(result.interval).toEqual(close(interval));
    expect(result.p! / p).toBeCloseTo(1, 6);
  });

  test('one pair says nothing of the mean', () => {
    expect(pairedDifference([0.01])).toEqual({ mean: 0.01, sd: null, n: 1, interval: null, p: null });
  });

  test.each([
    [[0, 0, 0], 1],
    [[0.5, 0.5], 0],
  ])('%j: all alike', (differences, p) => {
    const [value] = differences as [number];
    expect(pairedDifference(differences)).toMatchObject({ interval: [value, value], p });
  });
});

describe('Holm', () => {
  test.each(reference.holm)('$p: as statsmodels', ({ p, adjusted }) => {
    expect(holm(p)).toEqual(close(adjusted, 12));
  });

  test('what is no test keeps its place and costs nothing', () => {
    expect(holm([null, 0.01, null, 0.03])).toEqual([null, 0.02, null, 0.03]);
  });
});

describe('ranks', () => {
  test.each(reference.ranks)('as SciPy: $criticalDifference', ({ values, ...expected }) => {
    const result = rankTest(values);
    expect(result.meanRanks).toEqual(close(expected.meanRanks, 12));
    expect(result.statistic).toBeCloseTo(expected.statistic, 8);
    expect(result.p / expected.p).toBeCloseTo(1, 6);
    expect(result.criticalDifference).toBeCloseTo(expected.criticalDifference, 5);
  });

  test.each(reference.nemenyi)("$methods methods: Nemenyi's q at 5 % is SciPy's, $q", ({ methods, q }) => {
    const values = Array.from({ length: 5 }, () => Array.from({ length: methods }, (_, k) => k));
    const { criticalDifference } = rankTest(values);
    expect(criticalDifference / Math.sqrt((methods * (methods + 1)) / (6 * 5))).toBeCloseTo(q, 5);
  });

  test('methods that are equal everywhere differ by chance only', () => {
    expect(
      rankTest([
        [1, 1, 1],
        [1, 1, 1],
      ]),
    ).toMatchObject({ meanRanks: [2, 2, 2], statistic: 0, p: 1 });
  });
});
