import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { epochIndices, splitSteps } from '../../src/data/sampler.ts';
import { subsetOf } from '../../src/data/subset.ts';
import type { Subset } from '../../src/data/types.ts';
import { randomStream } from '../../src/random.ts';

/** Rows 10, 20, 30, … of a split. */
function subset(n: number): Subset {
  const split = {
    name: 'train' as const,
    labels: new Int32Array(10 * n + 1),
    pixels: { kind: 'memory' as const, bytes: new SharedArrayBuffer(0) },
  };
  return subsetOf(
    split,
    Int32Array.from({ length: n }, (_, i) => 10 * (i + 1)),
    1,
  );
}

describe('epochIndices', () => {
  test('no weights: every row once, in an order of the stream', () => {
    const rows = subset(50);
    const order = epochIndices(rows, null, randomStream(1, 'order', 1));
    expect([...order].sort((a, b) => a - b)).toEqual([...rows.indices]);
    expect(order).not.toEqual(rows.indices);
    expect(epochIndices(rows, null, randomStream(1, 'order', 1))).toEqual(order);
    expect(epochIndices(rows, null, randomStream(1, 'order', 2))).not.toEqual(order);
  });

  test('weights: draws with replacement in their proportion', () => {
    const n = 40_000;
    const weights = Float64Array.from({ length: n }, (_, i) => [0, 3, 1, 4][i % 4]!);
    const order = epochIndices(subset(n), weights, randomStream(7, 'order', 1));
    expect(order).toHaveLength(n);
    const share = [0, 0, 0, 0];
    for (const row of order) share[(row / 10 - 1) % 4]! += 1 / n;
    expect(share[0]).toBe(0);
    // Five standard deviations of a binomial share: 0.0122 at most.
    for (const [i, expected] of [0, 3 / 8, 1 / 8, 4 / 8].entries()) {
      expect(Math.abs(share[i]! - expected)).toBeLessThan(5 * Math.sqrt((expected * (1 - expected)) / n) + 1e-12);
    }
  });

  test('a row of zero weight is never drawn, wherever it stands', () => {
    fc.assert(
      fc.property(
        fc.array(fc.oneof(fc.constant(0), fc.double({ min: 1e-300, max: 1e300, noNaN: true })), {
          minLength: 1,
          maxLength: 20,
        }),
        fc.integer(),
        (values, seed) => {
          fc.pre(values.some((value) => value > 0));
          const drawn = epochIndices(subset(values.length), Float64Array.from(values), randomStream(seed));
          expect(drawn).toHaveLength(values.length);
          for (const row of drawn) expect(values[row / 10 - 1]).toBeGreaterThan(0);
        },
      ),
    );
  });

  test('a row is drawn from its sum of weights up to, but not including, the next: zero weights at the edges never', () => {
    const drawn = (weights: number[], uniform: number): number[] => {
      const random = { ...randomStream(0), uniform: () => uniform };
      return [...epochIndices(subset(weights.length), Float64Array.from(weights), random)];
    };
    expect(drawn([0, 1, 0], 0)).toEqual([20, 20, 20]);
    expect(drawn([1, 1], 0.5)).toEqual([20, 20]);
    expect(drawn([1, 0, 1], 0.499)).toEqual([10, 10, 10]);
  });

  test('what is no weight is an error', () => {
    const message = (values: number[]): string => {
      try {
        epochIndices(subset(3), Float64Array.from(values), randomStream(0));
      } catch (error) {
        return (error as Error).message;
      }
      throw new Error('nothing was thrown');
    };
    expect({
      tooFew: message([1, 1]),
      notANumber: message([1, Number.NaN, 1]),
      negative: message([1, 1, -0.5]),
      infinite: message([1, Number.POSITIVE_INFINITY, 1]),
      allZero: message([0, 0, 0]),
      overflow: message([1e308, 1e308, 0]),
    }).toMatchInlineSnapshot(`
      {
        "allZero": "computeSamplingWeights: expected weights with a positive, finite sum; their sum is 0. Check the plugin that computes them.",
        "infinite": "computeSamplingWeights: expected finite weights of 0 or more; got Infinity for image 1. Check the plugin that computes them.",
        "negative": "computeSamplingWeights: expected finite weights of 0 or more; got -0.5 for image 2. Check the plugin that computes them.",
        "notANumber": "computeSamplingWeights: expected finite weights of 0 or more; got NaN for image 1. Check the plugin that computes them.",
        "overflow": "computeSamplingWeights: expected weights with a positive, finite sum; their sum is Infinity. Check the plugin that computes them.",
        "tooFew": "computeSamplingWeights: expected 3 weights, one per training image; got 2. Return a Float64Array of that length, or null.",
      }
    `);
  });
});

describe('splitSteps', () => {
  const indices = Int32Array.from({ length: 7 }, (_, i) => 100 + i);

  test('the last step is smaller; positions count through the epoch', () => {
    const steps = splitSteps(indices, 3);
    expect(steps.map((step) => [...step.indices])).toEqual([[100, 101, 102], [103, 104, 105], [106]]);
    expect(steps.map((step) => [...step.positions])).toEqual([[0, 1, 2], [3, 4, 5], [6]]);
  });

  test('dropLast leaves out only what is not full', () => {
    expect(splitSteps(indices, 3, { dropLast: true })).toHaveLength(2);
    expect(splitSteps(indices.subarray(0, 6), 3, { dropLast: true })).toHaveLength(2);
    expect(splitSteps(indices, 8, { dropLast: true })).toEqual([]);
    expect(splitSteps(new Int32Array(0), 3)).toEqual([]);
  });
});
