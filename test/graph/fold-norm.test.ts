import { expect, test } from 'vitest';
import { batchNorm, relu } from '../../src/backend/kernels/index.ts';
import { foldNorm } from '../../src/graph/fold-norm.ts';
import { dropUnused, mergeEqual } from '../../src/graph/prune.ts';
import { opOf } from '../../src/graph/recording.ts';
import { createShapeInference } from '../../src/graph/shapes.ts';
import { trace } from '../../src/graph/trace.ts';
import type { GraphFunction } from '../../src/graph/types.ts';
import type { NamedTensors } from '../../src/tf.ts';
import { tf } from '../../src/tf.ts';
import {
  bothEngines,
  describeNative,
  programOf,
  relativeDistance,
  signature,
  wave,
  waves,
} from '../step/captured-support.ts';

const inputs = { x: [[2, 6, 6, 3], 'float32'] } as const;
const positive = { shape: [4], values: wave(4, 5).map((value) => 1 + value / 2) };
const state = { ...waves({ kernel: [3, 3, 3, 4], scale: [4], shift: [4], mean: [4] }), variance: positive };

const convolve = ({ kernel }: NamedTensors, x: tf.Tensor) =>
  tf.conv2d(x as tf.Tensor4D, kernel as tf.Tensor4D, [2, 1], 'same');
const normalise = (weights: NamedTensors, x: tf.Tensor4D, training = false) => {
  const [scale, shift, mean, variance] = ['scale', 'shift', 'mean', 'variance'].map((name) => weights[name]);
  return batchNorm(x, scale as tf.Tensor1D, shift as tf.Tensor1D, mean as tf.Tensor1D, variance as tf.Tensor1D, {
    training,
    epsilon: 1e-3,
  }).y;
};

const giving = (y: (weights: NamedTensors, x: tf.Tensor) => tf.Tensor): GraphFunction => {
  return (weights, { x }) => ({ state: {}, outputs: { y: y(weights, x!) } });
};

describeNative('batch norm after a convolution', (use) => {
  const opsOf = (fn: GraphFunction) => {
    const shapes = createShapeInference(use().binding!);
    const recording = dropUnused(trace(fn, signature('step', inputs), { shapes, state }));
    return mergeEqual(foldNorm(recording)).nodes.map(opOf);
  };

  test('by running statistics is folded into its weights', () => {
    const fn = giving((weights, x) => relu(normalise(weights, convolve(weights, x))));
    expect(opsOf(fn).filter((op) => !/Const|ReadVariable|Placeholder/.test(op))).toEqual([
      'AddV2',
      'Rsqrt',
      'Mul',
      'Mul',
      'Sub',
      'Mul',
      'Conv2D',
      'BiasAdd',
      'Relu',
    ]);
    const engines = bothEngines(programOf(fn, inputs, state), use());
    const { eager, captured } = engines.run(signature('step', inputs), { x: wave(216, 9) });
    expect(relativeDistance(captured, eager)).toBeLessThan(1e-6);
    engines.dispose();
  });

  test.each([
    ['by the batch', (weights: NamedTensors, x: tf.Tensor) => normalise(weights, convolve(weights, x), true)],
    [
      'of a result that something else uses',
      (weights: NamedTensors, x: tf.Tensor) => {
        const y = convolve(weights, x);
        return normalise(weights, y).add(y);
      },
    ],
    ['after something else', (weights: NamedTensors, x: tf.Tensor) => normalise(weights, convolve(weights, x).neg())],
    [
      'with a gradient',
      (weights: NamedTensors, x: tf.Tensor) =>
        tf.grad((kernel) => normalise(weights, convolve({ ...weights, kernel }, x)))(weights.kernel!),
    ],
  ] as const)('%s stays', (_, y) => {
    const fn = giving(y);
    const ops = opsOf(fn);
    expect(ops).not.toContain('BiasAdd');
    expect(ops.some((op) => op.startsWith('FusedBatchNorm'))).toBe(true);
  });
});
