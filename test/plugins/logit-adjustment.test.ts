import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import logitAdjustment from '../../plugins/logit-adjustment/index.ts';
import { loadBackend } from '../../src/backend/load.ts';
import { compose } from '../../src/compose/compose.ts';
import type { Plugin } from '../../src/plugin.ts';
import { tf } from '../../src/tf.ts';
import { createTrainer } from '../../src/train/trainer.ts';
import { expectSameLoss, lossOf, sixLogits, threeClasses, threeCounts } from '../support/given-logits.ts';
import { infoWithCounts } from '../support/plugins.ts';
import { describeLoss } from '../support/pytorch-losses.ts';
import { squares, tinyModel } from '../support/squares.ts';

beforeAll(async () => {
  await loadBackend();
});

describeLoss(logitAdjustment);

test('tau 2: shares go by their squares', () => {
  const samples = { classCounts: [60, 30, 10], logits: [0, 0, 0], labels: [1] };
  expect(lossOf([logitAdjustment({ tau: 2 })], samples).loss).toBeCloseTo(-Math.log(900 / 4600), 6);
});

test('equal counts or factors of 0 are cross-entropy', () => {
  fc.assert(
    fc.property(threeCounts, sixLogits, fc.integer({ min: 1, max: 5000 }), (counts, logits, equal) => {
      expectSameLoss([logitAdjustment()], [], threeClasses(logits, [equal, equal, equal]));
      expectSameLoss([logitAdjustment({ tau: 0 })], [], threeClasses(logits, counts));
    }),
    { numRuns: 15 },
  );
});

describe('post-hoc', () => {
  test('subtracts tau log pi from the predicted logits and leaves the loss alone', () => {
    const { hooks } = compose([logitAdjustment({ mode: 'post-hoc', tau: 2 })], infoWithCounts([60, 30, 10]));
    expect(hooks.buildLoss.taps).toEqual([]);
    const predict = hooks.buildPrediction.call(() => tf.tensor2d([[1, 1, 1]]));
    const pass = { training: false, inputs: {}, variants: {}, atStage: (_: string, x: tf.Tensor) => x };
    const adjusted = predict({}, {}, tf.zeros([1, 1, 1, 1]), pass).dataSync();
    [0.6, 0.3, 0.1].forEach((share, c) => {
      expect(adjusted[c]).toBeCloseTo(1 - 2 * Math.log(share), 5);
    });
  });

  test('trains as a run without it does, and predicts rare classes more often', async () => {
    const run = (plugins: Plugin[]) =>
      createTrainer({
        data: squares(),
        model: tinyModel(),
        plugins,
        train: { epochs: 2, batchSize: 16, optimizer: { name: 'sgd', learningRate: 0.05 } },
      }).run();
    const [plain, adjusted] = [await run([]), await run([logitAdjustment({ mode: 'post-hoc', tau: 100 })])];
    expect(adjusted.snapshot!.state).toEqual(plain.snapshot!.state);
    const predictedLast = ({ summary }: typeof plain) =>
      summary.last!.confusion!.reduce((sum, [, predicted, images]) => sum + (predicted === 3 ? images : 0), 0);
    expect(predictedLast(adjusted)).toBe(20);
    expect(predictedLast(plain)).toBeLessThan(20);
  });
});
