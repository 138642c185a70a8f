import { beforeAll, expect, test } from 'vitest';
import gradClip, { clipByNorm, clipByValue } from '../../plugins/grad-clip/index.ts';
import { loadBackend } from '../../src/backend/load.ts';
import { tf } from '../../src/tf.ts';
import { describeCaptured, describeSteps } from '../support/update-steps.ts';

beforeAll(async () => {
  await loadBackend();
});

const values = (tensor: tf.Tensor): number[] => Array.from(tensor.dataSync());

describeSteps(gradClip);

describeCaptured({
  'by norm': () => [gradClip({ limit: 0.2 })],
  'by value': () => [gradClip({ by: 'value', limit: 0.05 })],
});

test('a norm of 5 cut to 1; below the limit the same bits; zero stays zero', () => {
  const gradients = { a: tf.tensor1d([3]), b: tf.tensor1d([-4]) };
  const clipped = clipByNorm(gradients, 1);
  expect(values(clipped.a!)[0]).toBeCloseTo(0.6, 6);
  expect(values(clipped.b!)[0]).toBeCloseTo(-0.8, 6);
  expect(values(clipByNorm({ a: tf.tensor1d([0.1, 0.7]) }, 1).a!)).toEqual([...Float32Array.of(0.1, 0.7)]);
  expect(values(clipByNorm({ a: tf.zeros([2]) }, 1).a!)).toEqual([0, 0]);
  expect(values(clipByValue(gradients, 3.5).b!)).toEqual([-3.5]);
  expect(values(clipByValue(gradients, 3.5).a!)).toEqual([3]);
});
