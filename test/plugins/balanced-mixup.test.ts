import { describe, expect, test } from 'vitest';
import balancedMixup, { balancedMixupBatch } from '../../plugins/balanced-mixup/index.ts';
import remix from '../../plugins/remix/index.ts';
import { compose } from '../../src/compose/compose.ts';
import { randomStream } from '../../src/random.ts';
import { at, drawnWeights, infoWithCounts, mixBatch, warningsOf } from '../support/plugins.ts';

describe('balancedMixupBatch', () => {
  test('image i is mixed with row start + i, one lambda for all', () => {
    const { pair, lambda } = balancedMixupBatch(3, 6, { alpha: 0.2 }, randomStream('any'));
    expect(Array.from(pair)).toEqual([6, 7, 8]);
    expect(new Set(lambda).size).toBe(1);
  });

  test.each([0.1, 0.3, 1])('alpha %f: the balanced image has a share of alpha / (1 + alpha) on average', (alpha) => {
    const random = randomStream('shares', alpha);
    let sum = 0;
    let squares = 0;
    for (let i = 0; i < 20_000; i++) {
      const share = 1 - balancedMixupBatch(1, 1, { alpha }, random).lambda[0]!;
      sum += share;
      squares += share ** 2;
    }
    // Moments of Beta(alpha, 1): alpha / (alpha + 1) and alpha / (alpha + 2).
    expect(Math.abs(sum / 20_000 - alpha / (1 + alpha))).toBeLessThan(0.01);
    expect(Math.abs(squares / 20_000 - alpha / (2 + alpha))).toBeLessThan(0.01);
  });

  test('alpha 0 mixes nothing', () => {
    expect(Array.from(balancedMixupBatch(2, 2, { alpha: 0 }, randomStream('any')).lambda)).toEqual([1, 1]);
  });
});

test('the draw has all classes alike', () => {
  const counts = [300, 100, 20];
  const composition = compose([balancedMixup()], infoWithCounts(counts));
  const weights = drawnWeights(composition, 'balanced-mixup/balanced', 1);
  const mass = counts.map((n, c) => n * weights[c]!);
  for (const m of mass) expect(m).toBeCloseTo(mass[0]!, 10);
  const labels = Int32Array.of(0, 0, 2, 1);
  const { targets } = mixBatch(composition, labels, at(1));
  expect(Array.from(targets.labels)).toEqual([0, 0]);
  expect(Array.from(targets.pairLabels)).toEqual([2, 1]);
});

test('a label rule has nothing to do with alpha 0, and only then', () => {
  const info = infoWithCounts([300, 100, 20]);
  expect(warningsOf([balancedMixup({ alpha: 0 }), remix()], info)).toMatchInlineSnapshot(`
    [
      "NOT_INTENDED [balanced-mixup] with remix: alpha is 0: nothing is mixed, and no label changes.",
    ]
  `);
  expect(warningsOf([balancedMixup(), remix()], info)).toEqual([]);
});
