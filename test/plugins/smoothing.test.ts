import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import labelAwareSmoothing, { smoothingOf } from '../../plugins/label-aware-smoothing/index.ts';
import labelSmoothing from '../../plugins/label-smoothing/index.ts';
import { softmaxCrossEntropy, supplyKernels } from '../../src/backend/kernels/index.ts';
import { loadBackend } from '../../src/backend/load.ts';
import { compose } from '../../src/compose/compose.ts';
import { Order } from '../../src/hooks.ts';
import type { Pass } from '../../src/models/types.ts';
import { definePlugin, type Plugin } from '../../src/plugin.ts';
import type { Loss } from '../../src/step/types.ts';
import { tf } from '../../src/tf.ts';
import { CIFAR10_LT_100, infoWithCounts, warningsOf } from '../support/plugins.ts';

beforeAll(async () => {
  await loadBackend();
  supplyKernels();
});

const core: Loss = {
  adjustLogits: (logits) => logits,
  termLoss: (logits, labels) => softmaxCrossEntropy(logits, labels),
  penalties: {},
};
const counts = [300, 100, 20];
const logits = [
  [2, 0, -1],
  [0, 1, 1],
  [3, 0, -2],
];
const labels = [0, 2, 1];

/** Loss of each sample as the plugins make it. */
function lossOf(plugins: readonly Plugin[], before: Loss = core): number[] {
  const { termLoss } = compose(plugins, infoWithCounts(counts)).hooks.buildLoss.call(before);
  return tf.tidy(() => Array.from(termLoss(tf.tensor2d(logits), tf.tensor1d(labels, 'int32'), {} as Pass).dataSync()));
}

/** −Σ_c q_c log p_c, written out. */
const softTarget = (q: (label: number, c: number) => number): number[] =>
  logits.map((row, i) => {
    const sum = row.reduce((total, z) => total + Math.exp(z), 0);
    return -row.reduce((total, z, c) => total + q(labels[i]!, c) * Math.log(Math.exp(z) / sum), 0);
  });

const expectClose = (actual: number[], expected: number[]): void =>
  actual.forEach((value, i) => {
    expect(value).toBeCloseTo(expected[i]!, 5);
  });

describe('label-smoothing', () => {
  test.each([0.1, 0.5])('epsilon %f is the cross-entropy with a softened label', (epsilon) => {
    const expected = softTarget((label, c) => epsilon / 3 + (c === label ? 1 - epsilon : 0));
    expectClose(lossOf([labelSmoothing({ epsilon })]), expected);
  });

  test('by hand: equal logits cost log C, whatever epsilon is', () => {
    const { termLoss } = compose([labelSmoothing({ epsilon: 0.3 })], infoWithCounts(counts)).hooks.buildLoss.call(core);
    const loss = tf.tidy(() => termLoss(tf.zeros([1, 4]), tf.tensor1d([2], 'int32'), {} as Pass).dataSync()[0]!);
    expect(loss).toBeCloseTo(Math.log(4), 6);
  });

  test('keeps its share of another loss, and takes the rest as cross-entropy', () => {
    const hinge: Loss = { ...core, termLoss: (z) => tf.onesLike(z.sum(1)).mul(7) as tf.Tensor1D };
    const uniform = softTarget(() => 1 / 3);
    expectClose(
      lossOf([labelSmoothing({ epsilon: 0.1 })], hinge),
      uniform.map((u) => 0.9 * 7 + 0.1 * u),
    );
  });

  test('wraps the loss of any plugin, before or after it in the config', () => {
    const seven = definePlugin({
      name: 'seven',
      options: z.strictObject({}),
      provides: ['loss'],
      apply({ hooks }) {
        hooks.buildLoss.tap({ name: 'seven', stage: Order.Relabel }, (loss) => ({
          ...loss,
          termLoss: (z) => tf.onesLike(z.sum(1)).mul(7) as tf.Tensor1D,
        }));
      },
    });
    expect(lossOf([labelSmoothing(), seven()])).toEqual(lossOf([seven(), labelSmoothing()]));
  });

  test('epsilon 0 leaves the loss as it is, and says so', () => {
    expect(lossOf([labelSmoothing({ epsilon: 0 })])).toEqual(lossOf([]));
    expect(warningsOf([labelSmoothing({ epsilon: 0 })], infoWithCounts(counts))).toMatchInlineSnapshot(`
      [
        "NO_EFFECT [label-smoothing] epsilon is 0: nothing is smoothed.",
      ]
    `);
  });

  test('only one plugin smooths', () => {
    expect(() => compose([labelSmoothing(), labelAwareSmoothing()], infoWithCounts(counts))).toThrow(
      'both provide "smooth"',
    );
  });
});

describe('label-aware-smoothing', () => {
  const paper = { head: 0.3, tail: 0, shape: 'concave' as const };

  test('by hand: sine from the smallest class to the largest', () => {
    // x = 0, 1/3, 1: sin 0, sin 30° and sin 90°.
    expect(Array.from(smoothingOf([10, 20, 40], paper))).toEqual([
      0,
      expect.closeTo(0.15, 12),
      expect.closeTo(0.3, 12),
    ]);
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
    expectClose(lossOf([labelAwareSmoothing()]), expected);
  });

  test('CIFAR-10 LT, ratio 100: about 0.3 for the largest class, 0.24 for the second, 0 for the smallest', () => {
    const epsilons = smoothingOf(CIFAR10_LT_100, paper);
    // sin(90° · 2947 / 4950) = sin 53.58° = 0.8047.
    expect(epsilons[0]).toBeCloseTo(0.3, 12);
    expect(epsilons[1]).toBeCloseTo(0.3 * 0.8047, 4);
    expect(epsilons[9]).toBe(0);
  });
});
