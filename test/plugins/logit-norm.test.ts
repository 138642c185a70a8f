import { beforeAll, expect, test } from 'vitest';
import logitNorm, { normalisedLogits } from '../../plugins/logit-norm/index.ts';
import { loadBackend } from '../../src/backend/load.ts';
import { tf } from '../../src/tf.ts';
import { describeLoss } from '../support/pytorch-losses.ts';

beforeAll(async () => void (await loadBackend()));

describeLoss(logitNorm);

test('rows have the length 1/τ whatever theirs was; zeros stay zeros, and have a finite gradient', () => {
  const rows = tf.tensor2d([
    [3, 4],
    [30, 40],
    [0, 0],
  ]);
  const found = [...normalisedLogits(rows, 0.5).dataSync()];
  [1.2, 1.6, 1.2, 1.6, 0, 0].forEach((value, i) => {
    expect(found[i]).toBeCloseTo(value, 5);
  });
  const gradient = tf.grad((x) => normalisedLogits(x, 0.5).sum())(rows);
  expect([...gradient.dataSync()].every(Number.isFinite)).toBe(true);
});
