import { describe, expect, test } from 'vitest';
import { suitsCustomConvolution } from '../../src/backend/kernels/custom-ops.ts';
import { loadBackend } from '../../src/backend/load.ts';
import { hasCustomOps } from '../../src/backend/native.ts';
import { tf } from '../../src/tf.ts';
import { sizeOf } from '../../src/util/shape.ts';
import { convolutionSizes, type Shape, wave } from '../step/captured-support.ts';

await loadBackend('native').catch(() => null);
const missing = hasCustomOps() ? null : "tailmix's custom ops are not loaded: see `tailmix doctor`";
if (missing !== null) console.warn(`SKIPPED: custom convolutions, ${missing}`);

test('which calls the custom convolution takes', () => {
  const plain = { strides: 1, pad: 'same' } as const;
  expect(suitsCustomConvolution([2, 32, 32, 16], [3, 3, 16, 32], plain)).toBe(true);
  expect(suitsCustomConvolution([2, 32, 32, 16], [3, 3, 16, 32], { strides: [1, 1], pad: 1 })).toBe(true);
  expect(suitsCustomConvolution([4, 7, 7, 512], [3, 3, 512, 512], plain)).toBe(true);
  expect(suitsCustomConvolution([2, 32, 32, 16], [3, 3, 16, 32], { strides: 2, pad: 'same' })).toBe(false);
  expect(suitsCustomConvolution([2, 32, 32, 16], [3, 3, 16, 32], { strides: 1, pad: 'valid' })).toBe(false);
  expect(suitsCustomConvolution([2, 32, 32, 16], [3, 3, 16, 32], { ...plain, dilations: [2, 2] })).toBe(false);
  expect(suitsCustomConvolution([2, 32, 32, 16], [3, 3, 16, 20], plain)).toBe(false);
  expect(suitsCustomConvolution([2, 32, 32, 16], [1, 1, 16, 32], plain)).toBe(false);
  expect(suitsCustomConvolution([3, 7, 7, 512], [3, 3, 512, 512], plain), 'too few tiles').toBe(false);
});

describe.skipIf(missing !== null)('custom convolution', () => {
  /** Waves nearly cancel, which costs digits. */
  test.each(convolutionSizes)('%j to %d channels gives what TensorFlow gives, forward and back', (shape, out) => {
    const filterShape: Shape = [3, 3, shape[3], out];
    expect(suitsCustomConvolution(shape, filterShape, { strides: 1, pad: 'same' })).toBe(true);
    const x = tf.tensor<tf.Rank.R4>(wave(sizeOf(shape), 1), shape);
    const filter = tf.tensor<tf.Rank.R4>(wave(9 * shape[3] * out, 2), filterShape);
    const weight = tf.tensor(wave((x.size / shape[3]) * out, 3), [...shape.slice(0, 3), out]);
    const padded = (images: tf.Tensor): tf.Tensor4D =>
      images.pad([
        [0, 0],
        [1, 1],
        [1, 1],
        [0, 0],
      ]);
    const run = (convolve: (a: tf.Tensor4D, b: tf.Tensor4D) => tf.Tensor): Float32Array[] => {
      const total = (a: tf.Tensor, b: tf.Tensor): tf.Scalar =>
        convolve(a as tf.Tensor4D, b as tf.Tensor4D)
          .mul(weight)
          .sum();
      const [dx, dfilter] = tf.grads(total)([x, filter]);
      return [convolve(x, filter), dx!, dfilter!].map((tensor) => tensor.dataSync<'float32'>());
    };
    const own = run((a, b) => tf.conv2d(a, b, 1, 'same'));
    const standard = run((a, b) => tf.conv2d(padded(a), b, 1, 'valid'));
    for (const [i, expected] of standard.entries()) {
      const norm = Math.hypot(...[...expected].slice(0, 50_000));
      const difference = Math.hypot(...[...expected].slice(0, 50_000).map((value, at) => value - own[i]![at]!));
      expect(difference / norm).toBeLessThan(2e-5);
      expect(own[i]).not.toEqual(expected);
    }
  });
});
