import fc from 'fast-check';
import { beforeAll, expect, test } from 'vitest';
import balancedSoftmax from '../../plugins/balanced-softmax/index.ts';
import logitAdjustment from '../../plugins/logit-adjustment/index.ts';
import { loadBackend } from '../../src/backend/load.ts';
import { expectSameLoss, lossOf, sixLogits, threeClasses, threeCounts } from '../support/given-logits.ts';
import { describeLoss } from '../support/pytorch-losses.ts';

beforeAll(async () => {
  await loadBackend();
});

describeLoss(balancedSoftmax);

test('equal logits have the shares of the classes', () => {
  const { loss } = lossOf([balancedSoftmax()], { classCounts: [60, 30, 10], logits: [5, 5, 5], labels: [2] });
  expect(loss).toBeCloseTo(-Math.log(0.1), 5);
});

test('is logit adjustment with tau 1', () => {
  fc.assert(
    fc.property(threeCounts, sixLogits, (counts, logits) => {
      expectSameLoss([balancedSoftmax()], [logitAdjustment({ tau: 1 })], threeClasses(logits, counts));
    }),
    { numRuns: 15 },
  );
});

test('equal counts are cross-entropy', () => {
  fc.assert(
    fc.property(sixLogits, fc.integer({ min: 1, max: 5000 }), (logits, equal) => {
      expectSameLoss([balancedSoftmax()], [], threeClasses(logits, [equal, equal, equal]));
    }),
    { numRuns: 15 },
  );
});
