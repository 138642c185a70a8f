import { beforeAll, expect, test } from 'vitest';
import { composedGelu } from '../../../src/backend/kernels/activation.ts';
import { batchNorm, composedBatchNorm } from '../../../src/backend/kernels/batch-norm.ts';
import { composedCrossEntropy } from '../../../src/backend/kernels/cross-entropy.ts';
import {
  addRelu,
  gelu,
  globalAverage,
  groupedConvolution,
  layerNorm,
  relu,
  softmax,
  softmaxCrossEntropy,
  withStandardOps,
} from '../../../src/backend/kernels/index.ts';
import { composedLayerNorm } from '../../../src/backend/kernels/layer-norm.ts';
import { hasCustomOps } from '../../../src/backend/native.ts';
import { ofRank, tf } from '../../../src/tf.ts';
import { describeBackends, differencesOf, gradientsOf, normals, relativeDistance } from './support.ts';

type Function = (...inputs: tf.Tensor[]) => tf.Tensor;

function expectGradients(f: Function, composed: Function, inputs: tf.Tensor[], step?: number): void {
  expect(relativeDistance(f(...inputs), composed(...inputs))).toBeLessThan(1e-5);
  const gradients = gradientsOf(f, inputs);
  const reference = gradientsOf(composed, inputs);
  const numeric = differencesOf(f, inputs, step);
  gradients.forEach((gradient, i) => {
    expect(relativeDistance(gradient, reference[i]!)).toBeLessThan(1e-5);
    expect(relativeDistance(gradient, numeric[i]!)).toBeLessThan(5e-3);
  });
}

describeBackends('kernels', (use) => {
  beforeAll(use);

  test('relu', () => {
    const x = normals([2, 3, 3, 2], 'x', { awayFromZero: 0.1 });
    expectGradients(
      (x) => relu(x),
      (x) => tf.relu(x),
      [x],
    );
  });

  test('addRelu, its inputs used elsewhere too', () => {
    const a = normals([2, 3, 3, 2], 'a', { awayFromZero: 0.1 });
    const b = a.add(1);
    expectGradients(
      (a, b) => addRelu(a, b).add(a.mul(b)),
      (a, b) => tf.relu(tf.add(a, b)).add(a.mul(b)),
      [a, b],
    );
  });

  test('gelu as a custom op: any number of values, large ones, NaN', () => {
    for (const size of [1, 7, 8, 37]) expectGradients(gelu, composedGelu, [normals([size], `x${size}`)]);
    const wide = tf.linspace(-12, 12, 2401);
    expect(relativeDistance(gelu(wide), composedGelu(wide))).toBeLessThan(1e-6);
    const [own, composed] = [gelu, composedGelu].map((f) => gradientsOf(f, [wide])[0]!);
    expect(relativeDistance(own!, composed!)).toBeLessThan(1e-6);
    const odd = gelu(tf.tensor1d([Number.NaN, 1e30, -1e30])).dataSync();
    expect([...odd].map(Math.abs)).toEqual([Number.NaN, Math.fround(1e30), 0]);
  });

  test('layer norm of channels in sixteens', () => {
    const inputs = [normals([2, 3, 32], 'x'), normals([32], 'scale'), normals([32], 'shift')];
    expectGradients(
      (x, scale, shift) => layerNorm(x!, scale!, shift!, 1e-5),
      (x, scale, shift) => composedLayerNorm(x!, scale!, shift!, 1e-5),
      inputs,
    );
  });

  test('layer norm of many rows, shared among threads, far from zero', () => {
    const [scale, shift] = [normals([48], 'scale'), normals([48], 'shift')];
    const x = normals([1300, 48], 'x').mul(3).add(100);
    const of = (f: typeof layerNorm): tf.Tensor[] => {
      const norm = (x: tf.Tensor, scale: tf.Tensor, shift: tf.Tensor): tf.Tensor => f(x, scale, shift, 1e-6);
      return [norm(x, scale, shift), ...gradientsOf(norm as Function, [x, scale, shift])];
    };
    const [own, composed] = [of(layerNorm), of(composedLayerNorm)];
    for (const [i, value] of own.entries()) expect(relativeDistance(value, composed[i]!)).toBeLessThan(1e-5);
  });

  test('softmax, rows of any width', () => {
    for (const width of [1, 8, 19]) {
      const x = normals([2, 3, width], `x${width}`);
      if (width > 1) expectGradients(softmax, (x) => tf.softmax(x!), [x]);
      else expect([...gradientsOf(softmax, [x])[0]!.dataSync()].every((value) => Math.abs(value) === 0)).toBe(true);
    }
  });

  test('without custom ops where standard ones are asked for', async () => {
    const x = normals([4, 16], 'x');
    const block = (): tf.Tensor => softmax(gelu(layerNorm(x, tf.ones([16]), tf.zeros([16]), 1e-6)));
    const customOps = async (run: () => tf.Tensor): Promise<string[]> =>
      (await tf.profile(run)).kernelNames.filter((name) => name.startsWith('Tailmix')).sort();
    expect(await customOps(() => withStandardOps(block))).toEqual([]);
    expect(await customOps(block)).toEqual(
      hasCustomOps() && tf.getBackend() === 'tensorflow' ? ['TailmixGelu', 'TailmixLayerNorm'] : [],
    );
  });

  test('gelu is that of erf', () => {
    expectGradients(
      (x) => gelu(x),
      (x) => x.mul(tf.erf(x.div(Math.SQRT2)).add(1)).div(2),
      [normals([2, 3, 4], 'x')],
    );
    // x·Φ(x); the tanh approximation has −0.158808 and 1.954598.
    const values = gelu(tf.tensor1d([-1, 0, 2, -12])).dataSync();
    for (const [i, expected] of [-0.1586552539, 0, 1.9544997361, 0].entries())
      expect(values[i]).toBeCloseTo(expected, 6);
  });

  test.each([[[5, 7]], [[2, 3, 6]], [[2, 3, 3, 4]]])('layerNorm of %j', (shape) => {
    const channels = shape.at(-1)!;
    const vector = (name: string) => normals([channels], name).mul(0.3).add(1);
    const composed: Function = (x, scale, shift) => {
      const { mean, variance } = tf.moments(x, -1, true);
      return x.sub(mean).div(variance.add(0.01).sqrt()).mul(scale).add(shift);
    };
    expectGradients((x, scale, shift) => layerNorm(x, scale, shift, 0.01), composed, [
      normals(shape, 'x').mul(2).add(3),
      vector('scale'),
      vector('shift'),
    ]);
  });

  // TensorFlow 2.21 with oneDNN on AVX2 was 0.07 to 0.9 off in the most of them.
  test.each([
    ...[1, 2, 3, 4, 5, 12].map((channels) => [channels, [2, 2], [2, 8]] as const),
    ...[5, 6, 7].map((channels) => [channels, [2, 2], [4, 16]] as const),
    ...[2, 4].map((channels) => [channels, [3, 3], [3, 9]] as const),
    [3, [1, 2], [2, 8]],
  ] as const)(
    "the filter's gradient of a 1×1 convolution over %i channels, strides %j, batch and side %j",
    (channels, strides, [batch, side]) => {
      const x = normals([batch, side, side, channels], 'x') as tf.Tensor4D;
      const [rows, columns] = strides;
      const taken = x.stridedSlice([0, 0, 0, 0], x.shape, [1, rows, columns, 1]).reshape([-1, channels]);
      for (const pad of ['valid', 'same'] as const) {
        const [gradient] = gradientsOf(
          (filter) => tf.conv2d(x, ofRank(filter, 4), [rows, columns], pad),
          [normals([1, 1, channels, 16], 'filter')],
        );
        const shape = [batch, Math.ceil(side / rows), Math.ceil(side / columns), 16];
        const expected = tf.matMul(taken, normals(shape, 'cotangent').reshape([-1, 16]), true);
        expect(relativeDistance(gradient!, expected.reshape(gradient!.shape))).toBeLessThan(1e-5);
      }
    },
  );

  test.each([
    [[2, 5, 4, 6], 3, 6, 1, 'same'],
    [[2, 7, 6, 8], 2, 4, 2, 'valid'],
    [[1, 4, 4, 4], 4, 8, 1, 'same'],
  ] as const)('groupedConvolution of %j in %i groups to %i channels', (shape, groups, out, stride, pad) => {
    const channels = shape[3] / groups;
    // A kernel with zeros between the groups.
    const member = tf.tensor4d(
      Array.from({ length: shape[3] * out }, (_, i) =>
        Math.floor(Math.floor(i / out) / channels) === Math.floor((i % out) / (out / groups)) ? 1 : 0,
      ),
      [1, 1, shape[3], out],
    );
    expectGradients(
      (x, filter) => groupedConvolution(x, filter, { stride, pad }),
      (x, filter) => tf.conv2d(ofRank(x, 4), tf.tile(ofRank(filter, 4), [1, 1, groups, 1]).mul(member), stride, pad),
      [normals([...shape], 'x'), normals([3, 3, channels, out], 'filter')],
    );
  });

  test('globalAverage', () => {
    expectGradients(
      (x) => globalAverage(x),
      (x) => tf.mean(x, [1, 2]),
      [normals([2, 3, 4, 2], 'x')],
    );
  });

  test('softmaxCrossEntropy', () => {
    const labels = tf.tensor1d([2, 0, 3, 3, 1], 'int32');
    const f: Function = (logits) => softmaxCrossEntropy(logits, labels);
    expectGradients(f, (logits) => composedCrossEntropy(logits, labels), [normals([5, 4], 'logits')]);
    const [loss] = softmaxCrossEntropy(tf.tensor2d([[1, 2, 3]]), tf.tensor1d([0], 'int32')).dataSync();
    expect(loss).toBeCloseTo(2.4076059644, 6);
  });

  test.each([
    [true, 3],
    [true, 16],
    [true, 48],
    [false, 3],
    [false, 16],
  ])('batchNorm, training: %s, %i channels', (training, channels) => {
    const repeated = (...values: number[]): tf.Tensor1D =>
      tf.tensor1d(Array.from({ length: channels }, (_, c) => values[c % values.length]! * (1 + 0.01 * c)));
    const mean = repeated(0.5, -1, 0.2);
    const variance = repeated(2, 0.5, 1);
    const with_ =
      (form: typeof batchNorm): Function =>
      (x, scale, shift) =>
        form(x, scale, shift, mean, variance, { training }).y;
    const inputs = [
      normals([4, 3, 3, channels], 'x')
        .mul(repeated(1, 2, 0.5))
        .add(repeated(3, 0, -1)),
      repeated(1, 0.7, -1.3),
      repeated(0.1, 0, 2),
    ];
    expectGradients(with_(batchNorm), with_(composedBatchNorm), inputs);
  });

  test('batchNorm carries running statistics as PyTorch does', () => {
    const x = tf.tensor4d([1, 10, 2, 10, 3, 10, 6, 14], [2, 1, 2, 2]);
    const [one, zero] = [tf.ones([2]), tf.zeros([2])];
    const { y, mean, variance } = batchNorm(x, one, zero, tf.tensor1d([1, 0]), tf.tensor1d([1, 2]), {
      training: true,
      momentum: 0.25,
    });
    // Channel 0: mean 3, biased variance 3.5, unbiased 14/3; channel 1: 11, 3, 4.
    expect(mean.dataSync()[0]).toBeCloseTo(0.75 * 1 + 0.25 * 3, 5);
    expect(mean.dataSync()[1]).toBeCloseTo(0.25 * 11, 5);
    expect(variance.dataSync()[0]).toBeCloseTo(0.75 * 1 + (0.25 * 14) / 3, 5);
    expect(variance.dataSync()[1]).toBeCloseTo(0.75 * 2 + 0.25 * 4, 5);
    expect(y.dataSync()[6]).toBeCloseTo(3 / Math.sqrt(3.5 + 1e-5), 5);
  });

  test('batchNorm in training keeps its digits where the mean is far from zero', () => {
    const noise = normals([6, 20, 20, 16], 'x').dataSync();
    const values = Float32Array.from(noise, (value) => 1000 + value);
    const [one, zero] = [tf.ones([16]), tf.zeros([16])];
    const { y } = batchNorm(tf.tensor4d(values, [6, 20, 20, 16]), one, zero, zero, one, { training: true });
    const rows = values.length / 16;
    const expected = new Float32Array(values.length);
    for (let channel = 0; channel < 16; channel++) {
      const own = Array.from({ length: rows }, (_, row) => values[row * 16 + channel]!);
      const mean = own.reduce((a, b) => a + b) / rows;
      const variance = own.reduce((sum, value) => sum + (value - mean) ** 2, 0) / rows;
      own.forEach((value, row) => {
        expected[row * 16 + channel] = (value - mean) / Math.sqrt(variance + 1e-5);
      });
    }
    // TensorFlow's own kernel, used where the custom op is not (no AVX-512), rounds the mean to float32: 2^-14 at 1000.
    const roundsMean = tf.getBackend() === 'tensorflow' && !hasCustomOps();
    expect(relativeDistance(y, tf.tensor(expected, y.shape))).toBeLessThan(roundsMean ? 4 * 2 ** -14 : 1e-4);
  });

  test('batchNorm leaves running statistics alone outside training', () => {
    const [one, zero] = [tf.ones([2]), tf.zeros([2])];
    const outputs = batchNorm(normals([2, 2, 2, 2], 'x'), one, zero, zero, one, { training: false });
    expect(outputs.mean).toBe(zero);
    expect(outputs.variance).toBe(one);
  });

  test('nothing leaks', () => {
    const x = normals([2, 4, 4, 3], 'x');
    const [one, zero] = [tf.ones([3]), tf.zeros([3])];
    const labels = tf.tensor1d([0, 2], 'int32');
    const before = tf.memory().numTensors;
    tf.tidy(() => {
      tf.grad((x) => {
        const y = relu(batchNorm(x, one, zero, zero, one, { training: true }).y);
        return softmaxCrossEntropy(addRelu(y, x).mean([1, 2]), labels);
      })(x);
    });
    expect(tf.memory().numTensors).toBe(before);
  });
});
