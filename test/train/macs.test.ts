import { expect, test } from 'vitest';
import tta from '../../plugins/tta/index.ts';
import { createTrainer, type TrainerOptions } from '../../src/train/trainer.ts';
import { describeNative } from '../step/captured-support.ts';
import { squares, tinyModel } from '../support/squares.ts';

/** Of a run of three test batches, the last one smaller. */
const macsOfRun = async (step: 'captured' | 'eager', options: Partial<TrainerOptions> = {}) => {
  const trainer = createTrainer({
    data: squares(),
    model: tinyModel(),
    train: { epochs: 1, batchSize: 16, step },
    evaluate: { batchSize: 8 },
    ...options,
  });
  const { summary } = await trainer.run();
  expect(summary.stepMode).toBe(step);
  return summary.macs;
};

const DENSE = 8 * 8 * 3 * 8 + 8 * 4;

describeNative('multiply–accumulates in a summary', () => {
  test('are of one image, whatever a batch has; with what plugins make of the prediction', async () => {
    expect(await macsOfRun('captured')).toBe(DENSE);
    expect(await macsOfRun('captured', { plugins: [tta({ flip: true })] })).toBe(2 * DENSE);
  });

  test('are absent where the step was not recorded', async () => {
    expect(await macsOfRun('eager')).toBeUndefined();
  });
});
