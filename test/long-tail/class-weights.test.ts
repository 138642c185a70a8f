import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { effectiveNumberWeights, inverseFrequencyWeights } from '../../src/long-tail/class-weights.ts';
import { CIFAR10_LT_100 } from '../support/plugins.ts';

const inWords = (weights: Float64Array): string => Array.from(weights, (weight) => weight.toFixed(4)).join(' ');
const counts = fc.array(fc.integer({ min: 1, max: 5000 }), { minLength: 1, maxLength: 20 });

describe('effective number (CIFAR-10 LT, ratio 100)', () => {
  test('weights for beta 0.9999', () => {
    expect(inWords(effectiveNumberWeights(CIFAR10_LT_100, 0.9999))).toBe(
      '0.0506 0.0769 0.1211 0.1950 0.3188 0.5246 0.8683 1.4426 2.4092 3.9927',
    );
  });

  test.each([
    [0.9999, 78.9, 1],
    [0.999999, 99.75, 2],
    [0.999, 20.4, 1],
  ])('largest over smallest weight for beta %f', (beta, ratio, digits) => {
    const weights = effectiveNumberWeights(CIFAR10_LT_100, beta);
    expect(Number((Math.max(...weights) / Math.min(...weights)).toFixed(digits))).toBe(ratio);
  });

  test.each([
    ['CIFAR-10 LT', CIFAR10_LT_100, 0.171],
    ['CIFAR-10 step', [5000, 5000, 5000, 5000, 5000, 50, 50, 50, 50, 50], 0.044],
  ])('mean weight of a training image of %s, ratio 100', (_, classCounts, mean) => {
    const weights = effectiveNumberWeights(classCounts, 0.9999);
    const images = classCounts.reduce((a, b) => a + b);
    expect(Number((classCounts.reduce((sum, n, c) => sum + n * weights[c]!, 0) / images).toFixed(3))).toBe(mean);
  });

  test('beta 0 gives weights of exactly 1', () => {
    expect(Array.from(effectiveNumberWeights([5000, 7, 1], 0))).toEqual([1, 1, 1]);
  });

  test('beta close to 1 becomes inverse frequency without losing digits', () => {
    const near = effectiveNumberWeights([100, 10, 1], 1 - 1e-13);
    const inverse = inverseFrequencyWeights([100, 10, 1]);
    near.forEach((weight, c) => {
      expect(weight / inverse[c]!).toBeCloseTo(1, 9);
    });
  });
});

test('inverse frequency (CIFAR-10 LT, ratio 100)', () => {
  expect(inWords(inverseFrequencyWeights(CIFAR10_LT_100))).toBe(
    '0.0402 0.0671 0.1120 0.1868 0.3119 0.5199 0.8672 1.4474 2.4239 4.0236',
  );
});

test('the square-root form, by hand: counts 4 and 1 weigh 1/2 and 1', () => {
  expect(inWords(inverseFrequencyWeights([4, 1], 0.5))).toBe('0.6667 1.3333');
});

test('a class without images weighs 0', () => {
  expect(Array.from(inverseFrequencyWeights([1, 0, 1]))).toEqual([1.5, 0, 1.5]);
  expect(Array.from(effectiveNumberWeights([0, 0], 0.9))).toEqual([0, 0]);
});

test('equal classes weigh 1 each', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 5000 }),
      fc.integer({ min: 1, max: 50 }),
      fc.double({ min: 0, max: 0.999999, noNaN: true }),
      (n, classes, beta) => {
        const equal = new Array<number>(classes).fill(n);
        for (const weights of [effectiveNumberWeights(equal, beta), inverseFrequencyWeights(equal)]) {
          for (const weight of weights) expect(weight).toBeCloseTo(1, 12);
        }
      },
    ),
  );
});

test('weights sum to C, are positive, and never weigh a larger class more', () => {
  fc.assert(
    fc.property(counts, fc.double({ min: 0, max: 0.999999, noNaN: true }), (classCounts, beta) => {
      for (const weights of [effectiveNumberWeights(classCounts, beta), inverseFrequencyWeights(classCounts, beta)]) {
        expect(weights.reduce((a, b) => a + b)).toBeCloseTo(classCounts.length, 8);
        for (const [i, a] of weights.entries()) {
          expect(a).toBeGreaterThan(0);
          for (const [j, b] of weights.entries())
            if (classCounts[i]! > classCounts[j]!) expect(a).toBeLessThanOrEqual(b);
        }
      }
    }),
  );
});
