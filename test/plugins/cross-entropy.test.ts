import fc from 'fast-check';
import { beforeAll, expect, test } from 'vitest';
import crossEntropy from '../../plugins/cross-entropy/index.ts';
import { loadBackend } from '../../src/backend/load.ts';
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
