import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import remix from '../../plugins/remix/index.ts';
import unimix, { drawWithReplacement, unimixLambda } from '../../plugins/unimix/index.ts';
import { compose } from '../../src/compose/compose.ts';
import { randomStream } from '../../src/random.ts';
import { at, infoWithCounts, mixBatch, warningsOf } from '../support/plugins.ts';

describe('unimixLambda, by hand', () => {
  test.each([
    // Equal classes: shifted by a half.
    { beta: 0.2, ni: 100, nj: 100, expected: 0.7 },
    { beta: 0.75, ni: 100, nj: 100, expected: 0.25 },
    // The partner has 80 % of the two: shifted by 0.8.
    { beta: 0.1, ni: 20, nj: 80, expected: 0.9 },
    { beta: 0.5, ni: 20, nj: 80, expected: 0.3 },
    // The partner has 20 %.
    { beta: 0.1, ni: 80, nj: 20, expected: 0.3 },
    { beta: 0.9, ni: 80, nj: 20, expected: 0.1 },
    // One is the end of the range, not past it.
    { beta: 0.5, ni: 100, nj: 100, expected: 1 },
    { beta: 0, ni: 30, nj: 10, expected: 0.25 },
  ])('beta $beta, n $ni against $nj: $expected', ({ beta, ni, nj, expected }) => {
    expect(unimixLambda(beta, ni, nj)).toBeCloseTo(expected, 12);
  });

  test('lies in 0…1', () => {
    const count = fc.integer({ min: 1, max: 100_000 });
    fc.assert(
      fc.property(fc.double({ min: 0, max: 1, noNaN: true }), count, count, (beta, ni, nj) => {
        const lambda = unimixLambda(beta, ni, nj);
        expect(lambda >= 0 && lambda <= 1).toBe(true);
      }),
    );
  });
});

test('drawWithReplacement keeps the odds', () => {
  const drawn = drawWithReplacement(10_000, Float64Array.of(1, 0, 2, 1), randomStream('odds'));
  const shares = [0, 1, 2, 3].map((row) => drawn.filter((i) => i === row).length / 10_000);
  expect(shares[1]).toBe(0);
  for (const [row, share] of [
    [0, 0.25],
    [2, 0.5],
    [3, 0.25],
  ] as const) {
    expect(Math.abs(shares[row]! - share)).toBeLessThan(0.02);
  }
});

test('drawWithReplacement leaves the weights alone, and draws no row of weight 0', () => {
  const weights = Float64Array.of(0, 2, 3);
  const lowest = { ...randomStream('any'), uniform: () => 0 };
  expect(Array.from(drawWithReplacement(2, weights, lowest))).toEqual([1, 1]);
  expect(Array.from(weights)).toEqual([0, 2, 3]);
});

test('drawWithReplacement draws the last row where all weights have underflowed to 0', () => {
  expect(Array.from(drawWithReplacement(2, Float64Array.of(0, 0, 0), randomStream('any')))).toEqual([2, 2]);
});

describe('the plugin', () => {
  test('mixes at the input', () => {
    expect(compose([unimix()], infoWithCounts([900, 100])).variants).toEqual({ mix: ['input'] });
  });

  test('says that a label rule would favour the rarer class twice', () => {
    expect(warningsOf([unimix(), remix()], infoWithCounts([900, 100]))).toMatchInlineSnapshot(`
      [
        "NOT_INTENDED [unimix] with remix: lambda favours the rarer class already, and labels are moved to it twice. Keep one.",
      ]
    `);
  });

  const counts = [900, 100];
  // Nine samples of the large class to one of the small.
  const labels = Int32Array.from({ length: 100 }, (_, i) => (i % 10 === 0 ? 1 : 0));

  test.each([
    // Mass n · n^tau: 90 against 10; 90 / 30 against 10 / 10; 90 / 900 against 10 / 100.
    { tau: 0, share: 0.1 },
    { tau: -0.5, share: 0.25 },
    { tau: -1, share: 0.5 },
  ])('tau $tau: the small class is a share of $share of the partners', ({ tau, share }) => {
    const composition = compose([unimix({ tau })], infoWithCounts(counts));
    let small = 0;
    for (let step = 1; step <= 100; step++) {
      const { targets } = mixBatch(composition, labels, at(1, step));
      small += targets.pairLabels.filter((label) => label === 1).length;
    }
    expect(Math.abs(small / 10_000 - share)).toBeLessThan(0.02);
  });

  test('the rarer class of a pair weighs more on average, and each sample has a lambda of its own', () => {
    const composition = compose([unimix()], infoWithCounts(counts));
    let [sum, pairs] = [0, 0];
    for (let step = 1; step <= 100; step++) {
      const { batch, targets } = mixBatch(composition, labels, at(1, step));
      expect(new Set(batch.lambda).size).toBeGreaterThan(50);
      expect(targets.labelWeight).toEqual(batch.lambda);
      batch.lambda.forEach((lambda, i) => {
        if (targets.labels[i] === targets.pairLabels[i]) return;
        sum += targets.labels[i] === 1 ? lambda : 1 - lambda;
        pairs++;
      });
    }
    expect(sum / pairs).toBeGreaterThan(0.5);
  });
});
