import { beforeAll, expect, test } from 'vitest';
import { z } from 'zod';
import labelAwareSmoothing from '../../plugins/label-aware-smoothing/index.ts';
import labelSmoothing from '../../plugins/label-smoothing/index.ts';
import { supplyKernels } from '../../src/backend/kernels/index.ts';
import { loadBackend } from '../../src/backend/load.ts';
import { compose } from '../../src/compose/compose.ts';
import type { Pass } from '../../src/models/types.ts';
import { definePlugin, Order } from '../../src/plugin.ts';
import type { Loss } from '../../src/step/types.ts';
import { tf } from '../../src/tf.ts';
import { infoWithCounts, warningsOf } from '../support/plugins.ts';
import { core, counts, expectClose, softTarget, termLosses } from '../support/soft-target.ts';

beforeAll(async () => {
  await loadBackend();
  supplyKernels();
});

test.each([0.1, 0.5])('epsilon %f is the cross-entropy with a softened label', (epsilon) => {
  const expected = softTarget((label, c) => epsilon / 3 + (c === label ? 1 - epsilon : 0));
  expectClose(termLosses([labelSmoothing({ epsilon })]), expected);
});

test('by hand: equal logits cost log C, whatever epsilon is', () => {
  const { termLoss } = compose([labelSmoothing({ epsilon: 0.3 })], infoWithCounts(counts)).hooks.buildLoss.call(core);
  const loss = tf.tidy(() => termLoss(tf.zeros([1, 4]), tf.tensor1d([2], 'int32'), {} as Pass).dataSync()[0]!);
  expect(loss).toBeCloseTo(Math.log(4), 6);
});

test('keeps its share of another loss, and takes the rest as cross-entropy', () => {
  const hinge: Loss = { ...core, termLoss: (z) => tf.onesLike(z.sum(1)).mul(7) };
  const uniform = softTarget(() => 1 / 3);
  expectClose(
    termLosses([labelSmoothing({ epsilon: 0.1 })], hinge),
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
        termLoss: (z) => tf.onesLike(z.sum(1)).mul(7),
      }));
    },
  });
  expect(termLosses([labelSmoothing(), seven()])).toEqual(termLosses([seven(), labelSmoothing()]));
});

test('epsilon 0 leaves the loss as it is, and says so', () => {
  expect(termLosses([labelSmoothing({ epsilon: 0 })])).toEqual(termLosses([]));
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
