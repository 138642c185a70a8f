import fc from 'fast-check';
import { beforeAll, expect, test } from 'vitest';
import labelAwareSmoothing, { smoothingOf } from '../../plugins/label-aware-smoothing/index.ts';
import { supplyKernels } from '../../src/backend/kernels/index.ts';
import { loadBackend } from '../../src/backend/load.ts';
import { CIFAR10_LT_100 } from '../support/plugins.ts';
import { counts, expectClose, softTarget, termLosses } from '../support/soft-target.ts';

beforeAll(async () => {
  await loadBackend();
  supplyKernels();
});

const paper = { head: 0.3, tail: 0, shape: 'concave' as const };

test('by hand: sine from the smallest class to the largest', () => {
  // x = 0, 1/3, 1: sin 0, sin 30° and sin 90°.
  expect(Array.from(smoothingOf([10, 20, 40], paper))).toEqual([0, expect.closeTo(0.15, 12), expect.closeTo(0.3, 12)]);
  expect(Array.from(smoothingOf([10, 20, 40], { ...paper, head: 0.4, tail: 0.1 }))).toEqual([
    expect.closeTo(0.1, 12),
    expect.closeTo(0.25, 12),
    expect.closeTo(0.4, 12),
  ]);
  expect(smoothingOf([10, 20, 40], { ...paper, shape: 'linear' })[1]).toBeCloseTo(0.1, 12);
  expect(smoothingOf([10, 20, 40], { ...paper, shape: 'convex' })[1]).toBeCloseTo(0.3 * (1 - Math.sqrt(0.75)), 12);
});

test('lies between tail and head, and grows with the class', () => {
  const count = fc.integer({ min: 1, max: 5000 });
  const epsilon = fc.double({ min: 0, max: 0.9, noNaN: true });
  const shape = fc.constantFrom('concave' as const, 'linear' as const, 'convex' as const);
  fc.assert(
    fc.property(fc.array(count, { minLength: 1, maxLength: 20 }), epsilon, epsilon, shape, (counts, a, b, shape) => {
      const [tail, head] = [Math.min(a, b), Math.max(a, b)];
      const sorted = [...counts].sort((x, y) => x - y);
      const epsilons = smoothingOf(sorted, { head, tail, shape });
      epsilons.forEach((value, c) => {
        expect(value).toBeGreaterThanOrEqual(tail - 1e-12);
        expect(value).toBeLessThanOrEqual(head + 1e-12);
        if (c > 0) expect(value).toBeGreaterThanOrEqual(epsilons[c - 1]! - 1e-12);
      });
    }),
  );
});

test('classes of one size are smoothed as the tail', () => {
  expect(Array.from(smoothingOf([7, 7], { ...paper, tail: 0.05 }))).toEqual([0.05, 0.05]);
});

test('each label has the epsilon of its class', () => {
  const epsilons = smoothingOf(counts, paper);
  const expected = softTarget((label, c) => epsilons[label]! / 3 + (c === label ? 1 - epsilons[label]! : 0));
  expectClose(termLosses([labelAwareSmoothing()]), expected);
});

test('CIFAR-10 LT, ratio 100: about 0.3 for the largest class, 0.24 for the second, 0 for the smallest', () => {
  const epsilons = smoothingOf(CIFAR10_LT_100, paper);
  // sin(90° · 2947 / 4950) = sin 53.58° = 0.8047.
  expect(epsilons[0]).toBeCloseTo(0.3, 12);
  expect(epsilons[1]).toBeCloseTo(0.3 * 0.8047, 4);
  expect(epsilons[9]).toBe(0);
});
