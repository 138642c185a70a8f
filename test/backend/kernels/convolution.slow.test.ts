import { beforeAll, expect, test } from 'vitest';
import { tf } from '../../../src/tf.ts';
import { describeBackends, differencesOf, gradientsOf, normals, relativeDistance } from './support.ts';

const pads = (top: number, bottom: number, left: number, right: number): tf.backend_util.ExplicitPadding => [
  [0, 0],
  [top, bottom],
  [left, right],
  [0, 0],
];

const cases = [
  { title: '3×3 same', size: [5, 5], kernel: [3, 3], stride: 1, pad: 'same' },
  { title: '3×3 stride 2, one pixel on each side', size: [6, 6], kernel: [3, 3], stride: 2, pad: pads(1, 1, 1, 1) },
  { title: '3×3 stride 2, odd size', size: [7, 5], kernel: [3, 3], stride: 2, pad: pads(1, 1, 1, 1) },
  { title: '3×3 stride 2 valid', size: [6, 7], kernel: [3, 3], stride: 2, pad: 'valid' },
  { title: '3×3 stride 2 same', size: [6, 5], kernel: [3, 3], stride: 2, pad: 'same' },
  { title: '7×7 stride 2, three pixels', size: [9, 9], kernel: [7, 7], stride: 2, pad: pads(3, 3, 3, 3) },
  { title: '1×1', size: [4, 4], kernel: [1, 1], stride: 1, pad: 'valid' },
  { title: '1×1 stride 2', size: [5, 4], kernel: [1, 1], stride: 2, pad: 'valid' },
  { title: '1×1 with padding beyond the filter', size: [3, 3], kernel: [1, 1], stride: 1, pad: pads(1, 1, 1, 1) },
  { title: '2×3, uneven padding, stride 3', size: [8, 8], kernel: [2, 3], stride: 3, pad: pads(0, 1, 2, 1) },
] as const;

describeBackends('convolution', (use) => {
  beforeAll(use);

  test.each(cases)('gradients: $title', ({ size, kernel, stride, pad }) => {
    const x = normals([2, ...size, 3], 'x');
    const filter = normals([...kernel, 3, 2], 'filter');
    const f = (x: tf.Tensor, filter: tf.Tensor) =>
      tf.conv2d(x as tf.Tensor4D, filter as tf.Tensor4D, stride, pad as 'same');
    const numeric = differencesOf(f, [x, filter]);
    gradientsOf(f, [x, filter]).forEach((gradient, i) => {
      expect(relativeDistance(gradient, numeric[i]!)).toBeLessThan(1e-3);
    });
  });

  test('gradients are those of padding by hand', () => {
    const x = normals([2, 6, 6, 3], 'x');
    const filter = normals([3, 3, 3, 4], 'filter');
    const explicit = (x: tf.Tensor, filter: tf.Tensor) =>
      tf.conv2d(x as tf.Tensor4D, filter as tf.Tensor4D, 2, pads(1, 1, 1, 1));
    const byHand = (x: tf.Tensor, filter: tf.Tensor) =>
      tf.conv2d(tf.pad(x, pads(1, 1, 1, 1)) as tf.Tensor4D, filter as tf.Tensor4D, 2, 'valid');
    const reference = gradientsOf(byHand, [x, filter]);
    gradientsOf(explicit, [x, filter]).forEach((gradient, i) => {
      expect(relativeDistance(gradient, reference[i]!)).toBeLessThan(1e-5);
    });
  });

  test('gradient of gather', () => {
    const f = (x: tf.Tensor) => tf.gather(x, tf.tensor1d([2, 0, 2, 1], 'int32'));
    const x = normals([4, 2, 3], 'x');
    const [numeric] = differencesOf(f, [x]);
    expect(relativeDistance(gradientsOf(f, [x])[0]!, numeric!)).toBeLessThan(1e-3);
  });

  test.each([
    [false, false],
    [true, false],
    [false, true],
    [true, true],
  ])('matMul and its gradients, transposed: %s, %s', (transposeA, transposeB) => {
    const a = normals(transposeA ? [2, 5, 3] : [2, 3, 5], 'a');
    const b = normals(transposeB ? [2, 4, 5] : [2, 5, 4], 'b');
    const f = (a: tf.Tensor, b: tf.Tensor) => tf.matMul(a, b, transposeA, transposeB);
    const swap = (x: tf.Tensor) => x.transpose([0, 2, 1]);
    const product = tf.matMul(transposeA ? swap(a) : a, transposeB ? swap(b) : b);
    expect(relativeDistance(f(a, b), product)).toBeLessThan(1e-6);
    const numeric = differencesOf(f, [a, b]);
    gradientsOf(f, [a, b]).forEach((gradient, i) => {
      expect(relativeDistance(gradient, numeric[i]!)).toBeLessThan(1e-3);
    });
  });

  test('oneHot in float32', () => {
    const rows = tf.oneHot(tf.tensor1d([2, 0], 'int32'), 3, 0.9, 0.05, 'float32');
    expect(rows.dtype).toBe('float32');
    expect(relativeDistance(rows, tf.tensor2d([0.05, 0.05, 0.9, 0.9, 0.05, 0.05], [2, 3]))).toBeLessThan(1e-6);
  });

  test.each([
    { title: 'max pool', f: (x: tf.Tensor) => tf.maxPool(x as tf.Tensor4D, 2, 2, 'valid') },
    { title: 'max pool 3×3 stride 2 after padding', f: (x: tf.Tensor) => tf.maxPool(padded(x), 3, 2, 'valid') },
    { title: 'average pool', f: (x: tf.Tensor) => tf.avgPool(x as tf.Tensor4D, 2, 2, 'valid') },
    { title: 'average pool 1×1 stride 2', f: (x: tf.Tensor) => tf.avgPool(x as tf.Tensor4D, 1, 2, 'valid') },
    { title: 'global average', f: (x: tf.Tensor) => tf.mean(x, [1, 2]) },
    { title: 'channel padding', f: (x: tf.Tensor) => tf.pad(x, [...pads(0, 0, 0, 0).slice(0, 3), [1, 2]] as never) },
  ])('gradient of $title', ({ f }) => {
    // Values a tenth apart, so that no maximum changes within a difference.
    const order = normals([2, 4, 4, 3], 'x').flatten().topk(96).indices.dataSync();
    const x = tf.tensor(
      Float32Array.from(order, (rank) => rank / 10),
      [2, 4, 4, 3],
    );
    const [numeric] = differencesOf(f, [x]);
    expect(relativeDistance(gradientsOf(f, [x])[0]!, numeric!)).toBeLessThan(1e-3);
  });
});

const padded = (x: tf.Tensor): tf.Tensor4D => tf.pad(x, pads(1, 1, 1, 1)) as tf.Tensor4D;
