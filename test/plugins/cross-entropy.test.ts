import fc from 'fast-check';
import { beforeAll, expect, test } from 'vitest';
import { z } from 'zod';
import crossEntropy from '../../plugins/cross-entropy/index.ts';
import { loadBackend } from '../../src/backend/load.ts';
import { definePlugin } from '../../src/plugin.ts';
import { lossOf, sixLogits, threeClasses } from '../support/given-logits.ts';
import { describeLoss } from '../support/pytorch-losses.ts';

beforeAll(async () => {
  await loadBackend();
});

describeLoss(crossEntropy);

test('cross-entropy is what a run without a loss has', () => {
  fc.assert(
    fc.property(sixLogits, (values) => {
      expect(lossOf([crossEntropy()], threeClasses(values))).toEqual(lossOf([], threeClasses(values)));
    }),
    { numRuns: 10 },
  );
});

test('it takes the place of a loss that was built before', () => {
  const double = definePlugin({
    name: 'double',
    options: z.strictObject({}),
    apply: ({ hooks }) =>
      hooks.buildLoss.tap('double', (loss) => ({ ...loss, termLoss: (...given) => loss.termLoss(...given).mul(2) })),
  });
  const samples = threeClasses([1, 2, 3, 4, 5, 6]);
  expect(lossOf([double()], samples).loss).toBeCloseTo(2 * lossOf([], samples).loss, 5);
  expect(lossOf([double(), crossEntropy()], samples)).toEqual(lossOf([], samples));
});
