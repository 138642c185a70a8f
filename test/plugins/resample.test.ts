import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import resample, { classShares, imageWeights } from '../../plugins/resample/index.ts';
import { compose } from '../../src/compose/compose.ts';
import { subsetOf } from '../../src/data/subset.ts';
import type { Split } from '../../src/data/types.ts';
import { planEpoch } from '../../src/train/epoch.ts';
import { at, CIFAR10_LT_100, infoWithCounts } from '../support/plugins.ts';

const beta = 0.9999;
const rules = ['effective-number', 'class-uniform', 'square-root', 'reverse'] as const;
const sharesOf = (weights: (typeof rules)[number]): Float64Array =>
  classShares(CIFAR10_LT_100, imageWeights(CIFAR10_LT_100, { weights, beta }));

describe('class shares on CIFAR-10 LT, ratio 100', () => {
  test('effective number: nearly, not exactly uniform', () => {
    expect(Array.from(sharesOf('effective-number'), (share) => share.toFixed(3)).join(' ')).toBe(
      '0.119 0.109 0.103 0.099 0.097 0.096 0.095 0.095 0.094 0.094',
    );
  });

  test('class-uniform: a tenth each', () => {
    for (const share of sharesOf('class-uniform')) expect(share).toBeCloseTo(0.1, 12);
  });

  test('square root: in proportion to the root of the counts', () => {
    const shares = sharesOf('square-root');
    expect(shares[0]! / shares[9]!).toBeCloseTo(Math.sqrt(100), 10);
    expect(shares[0]! / shares[5]!).toBeCloseTo(Math.sqrt(5000 / 387), 10);
  });

  test('reverse: in proportion to the inverse counts', () => {
    const shares = sharesOf('reverse');
    expect(shares[9]! / shares[0]!).toBeCloseTo(100, 10);
    expect(shares[9]! / shares[5]!).toBeCloseTo(387 / 50, 10);
  });
});

describe('class shares, properties', () => {
  const sizes = fc.array(fc.integer({ min: 1, max: 5000 }), { minLength: 1, maxLength: 20 });
  const betas = fc.double({ min: 0, max: 0.999, noNaN: true });

  test('are those of the formulas, and sum to 1', () => {
    fc.assert(
      fc.property(sizes, betas, (sizes, beta) => {
        const formulas = {
          'effective-number': (n: number) => (n * (1 - beta)) / (1 - beta ** n),
          'class-uniform': () => 1,
          'square-root': Math.sqrt,
          reverse: (n: number) => 1 / n,
        };
        for (const rule of rules) {
          const shares = classShares(sizes, imageWeights(sizes, { weights: rule, beta }));
          const masses = sizes.map(formulas[rule]);
          const sum = masses.reduce((a, b) => a + b);
          masses.forEach((mass, c) => {
            expect(shares[c]).toBeCloseTo(mass / sum, 9);
          });
          expect(shares.reduce((a, b) => a + b)).toBeCloseTo(1, 9);
        }
      }),
    );
  });

  test('equal classes stay equal, whatever the rule', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 5000 }), fc.integer({ min: 1, max: 50 }), betas, (n, classes, beta) => {
        for (const rule of [...rules, 'progressive'] as const) {
          const weights = imageWeights(Array(classes).fill(n), { weights: rule, beta }, 0.3);
          for (const weight of weights) expect(weight).toBe(weights[0]);
        }
      }),
    );
  });
});

/** Classes of the images drawn in an epoch, counted. */
function drawnClasses(epoch: number, rule?: (typeof rules)[number]): number[] {
  const labels = Int32Array.from(CIFAR10_LT_100.flatMap((n, label) => new Array<number>(n).fill(label)));
  const split: Split = { name: 'train', labels, pixels: { kind: 'memory', bytes: new SharedArrayBuffer(0) } };
  const { hooks } = compose(rule ? [resample({ weights: rule })] : [], infoWithCounts(CIFAR10_LT_100));
  const steps = planEpoch({
    subset: subsetOf(split, Int32Array.from(labels.keys()), 10),
    seed: 0,
    epoch,
    batchSize: 128,
    dropLast: false,
    samplingWeights: hooks.computeSamplingWeights.call(null, at(epoch)),
    groups: {},
  });
  const drawn = new Array<number>(10).fill(0);
  for (const { indices } of steps) for (const row of indices) drawn[labels[row]!]!++;
  return drawn;
}

describe('what an epoch draws', () => {
  test('without the plugin, each image once', () => {
    expect(drawnClasses(1)).toEqual(CIFAR10_LT_100);
  });

  test.each(rules)('%s: as many images, classes by their shares, anew each epoch', (rule) => {
    const shares = sharesOf(rule);
    const N = CIFAR10_LT_100.reduce((a, b) => a + b);
    const drawn = drawnClasses(1, rule);
    expect(drawn.reduce((a, b) => a + b)).toBe(N);
    drawn.forEach((count, c) => {
      const deviation = Math.sqrt(N * shares[c]! * (1 - shares[c]!));
      expect(Math.abs(count - N * shares[c]!)).toBeLessThan(4 * deviation);
    });
    expect(drawnClasses(2, rule)).not.toEqual(drawn);
  });
});

describe('progressive', () => {
  const counts = [60, 30, 10];
  const sharesAt = (epoch: number): number[] => {
    const { hooks } = compose([resample({ weights: 'progressive' })], infoWithCounts(counts, { epochs: 4 }));
    return Array.from(classShares(counts, hooks.computeSamplingWeights.call(null, at(epoch))!), (share) =>
      Number(share.toFixed(10)),
    );
  };

  test('goes from the classes as they are to equal ones, a quarter of the way in each of four epochs', () => {
    const between = (t: number): number[] =>
      [0.6, 0.3, 0.1].map((share) => Number(((1 - t) * share + t / 3).toFixed(10)));
    expect([1, 2, 3, 4].map(sharesAt)).toEqual([0.25, 0.5, 0.75, 1].map(between));
  });

  test('a class without images is never drawn', () => {
    const weights = imageWeights([60, 0, 40], { weights: 'progressive', beta }, 0.5);
    expect(Array.from(classShares([60, 0, 40], weights), (share) => share.toFixed(2))).toEqual([
      '0.55',
      '0.00',
      '0.45',
    ]);
  });
});

test('weights are one image’s of each class', () => {
  const { hooks } = compose([resample({ weights: 'class-uniform' })], infoWithCounts([30, 10]));
  const weights = hooks.computeSamplingWeights.call(null, at(1))!;
  expect(weights[1]! / weights[0]!).toBeCloseTo(3, 12);
});
