import { beforeAll, describe, expect, test } from 'vitest';
import gcl, { cloudedLogits, cloudNoise, cloudSizes } from '../../plugins/gcl/index.ts';
import { loadBackend } from '../../src/backend/load.ts';
import { compose } from '../../src/compose/compose.ts';
import { randomStream } from '../../src/random.ts';
import { tf } from '../../src/tf.ts';
import { describeCosineHead } from '../support/cosine-head.ts';
import { at, infoWithCounts, mixBatch } from '../support/plugins.ts';
import { describeLoss } from '../support/pytorch-losses.ts';

beforeAll(async () => {
  await loadBackend();
});

const rounded = (values: Iterable<number>): number[] => Array.from(values, (value) => Number(value.toFixed(12)));

describeLoss(gcl);

describeCosineHead(gcl);

test('cloudSizes: logarithms from the largest class to the rarest', () => {
  expect(rounded(cloudSizes([1000, 100, 10]))).toEqual([0, 0.5, 1]);
  expect(Array.from(cloudSizes([7, 7, 7]))).toEqual([0, 0, 0]);
});

test('cosines are scaled anew, less the cloud of each class and the margin of the label', () => {
  // Cosines 0.5 and -0.25, which the head has scaled by 4.
  const logits = (margin: number) =>
    cloudedLogits(
      tf.tensor2d([[2, -1]]),
      tf.tensor1d([1], 'int32'),
      tf.tensor2d([[0.5, 0.25]]),
      Float64Array.of(0, 1),
      {
        scale: 10,
        margin,
        headScale: 4,
      },
    );
  expect(rounded(logits(0).dataSync())).toEqual([5, -5]);
  expect(rounded(logits(0.5).dataSync())).toEqual([5, -10]);
});

describe('the noise', () => {
  test('lies in 0…1 and is half-normal with deviation 1/3', () => {
    const noise = cloudNoise(20_000, randomStream('gcl'));
    const mean = noise.reduce((a, b) => a + b) / noise.length;
    expect(Math.min(...noise)).toBeGreaterThanOrEqual(0);
    expect(Math.max(...noise)).toBe(1);
    // Mean √(2/π)/3, standard error 0.2/√20000 = 0.0014; three deviations in 0.27 % are cut off.
    expect(Math.abs(mean - Math.sqrt(2 / Math.PI) / 3)).toBeLessThan(0.006);
    const cut = noise.filter((value) => value === 1).length / noise.length;
    expect(Math.abs(cut - 0.0027)).toBeLessThan(0.002);
  });

  test('is drawn anew for each step, the same for the same one', () => {
    const composition = compose([gcl()], infoWithCounts([9, 3, 1]));
    const noiseAt = (step: number) =>
      mixBatch(composition, Int32Array.of(0, 1, 2, 0), at(1, step)).batch.inputs['gcl/noise'];
    expect(noiseAt(1)).toHaveLength(12);
    expect(noiseAt(1)).toEqual(noiseAt(1));
    expect(noiseAt(2)).not.toEqual(noiseAt(1));
  });
});
