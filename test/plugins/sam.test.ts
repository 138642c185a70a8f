import { beforeAll, expect, test } from 'vitest';
import sam, { ascend } from '../../plugins/sam/index.ts';
import { loadBackend } from '../../src/backend/load.ts';
import { tf } from '../../src/tf.ts';
import { infoWithCounts, warningsOf } from '../support/plugins.ts';
import { describeCaptured, describeSteps } from '../support/update-steps.ts';

beforeAll(async () => {
  await loadBackend();
});

const values = (tensor: tf.Tensor): number[] => Array.from(tensor.dataSync());

describeSteps(sam);

describeCaptured({
  sam: () => [sam({ rho: 0.3 })],
  adaptive: () => [sam({ rho: 0.8, adaptive: true })],
});

test('climbs ρ along the gradient: (3, 4) has norm 5', () => {
  const weights = { a: tf.tensor1d([1]), b: tf.tensor1d([-2]), fixed: tf.tensor1d([7]) };
  const climbed = ascend(weights, { a: tf.tensor1d([3]), b: tf.tensor1d([4]) }, { rho: 0.5, adaptive: false });
  expect(values(climbed.a!)[0]).toBeCloseTo(1.3, 6);
  expect(values(climbed.b!)[0]).toBeCloseTo(-1.6, 6);
  expect(climbed.fixed).toBe(weights.fixed);
});

test('adaptive: |w|·g = (3, 8), norm √73, then once more times |w|', () => {
  const weights = { a: tf.tensor1d([1]), b: tf.tensor1d([-2]) };
  const climbed = ascend(weights, { a: tf.tensor1d([3]), b: tf.tensor1d([4]) }, { rho: 0.5, adaptive: true });
  expect(values(climbed.a!)[0]).toBeCloseTo(1 + 1.5 / Math.sqrt(73), 6);
  expect(values(climbed.b!)[0]).toBeCloseTo(-2 + 8 / Math.sqrt(73), 6);
});

test('at a gradient of zero stays where it is', () => {
  const climbed = ascend({ a: tf.tensor1d([1, 2]) }, { a: tf.zeros([2]) }, { rho: 0.5, adaptive: false });
  expect(values(climbed.a!)).toEqual([1, 2]);
});

test('rho 0 is warned of', () => {
  expect(warningsOf([sam({ rho: 0 })], infoWithCounts([10, 6]))).toEqual([
    'NO_EFFECT [sam] rho is 0: the gradient is the plain one.',
  ]);
});
