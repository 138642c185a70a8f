import { beforeAll, describe, expect, test } from 'vitest';
import { createModel, type ModelOptions, modelNames, modelOptions } from '../../src/models/index.ts';
import type { Model, Pass } from '../../src/models/types.ts';
import { randomStream } from '../../src/random.ts';
import type { NamedTensors } from '../../src/tf.ts';
import { tf } from '../../src/tf.ts';
import { describeBackends } from '../backend/kernels/support.ts';
import { sideOf, smallOptions } from './small.ts';

const task = { classes: 3, imageShape: [32, 32, 3] } as const;

const model = (options: { name: ModelOptions['name']; [option: string]: unknown }): Model => {
  const side = sideOf(options.name);
  return createModel(modelOptions.parse(options), { ...task, imageShape: [side, side, 3] });
};

const initialWeights = ({ weights }: Model): NamedTensors =>
  Object.fromEntries(
    weights.map(({ name, shape, initial }) => [name, tf.tensor(initial(randomStream(1, 'init', name)), [...shape])]),
  );

const deviation = (values: Float32Array): number =>
  Math.sqrt(values.reduce((sum, value) => sum + value * value, 0) / values.length);

const initialOf = (of: Model, weight: string): Float32Array =>
  of.weights.find(({ name }) => name === weight)!.initial(randomStream(1, 'init', weight));

describe('initial values', () => {
  test('ResNet-32: Kaiming-normal of the fan-in, biases uniform', () => {
    const net = model({ name: 'resnet32' });
    expect(deviation(initialOf(net, 'stage3/block2/conv1/kernel'))).toBeCloseTo(Math.sqrt(2 / (9 * 64)), 3);
    expect(deviation(initialOf(net, 'classifier/kernel'))).toBeCloseTo(Math.sqrt(2 / 64), 1);
    expect(initialOf(net, 'classifier/bias').every((value) => Math.abs(value) <= 1 / 8 && value !== 0)).toBe(true);
    expect([...initialOf(net, 'stem/norm/scale')]).toEqual(Array(16).fill(1));
    expect([...initialOf(net, 'stem/norm/shift')]).toEqual(Array(16).fill(0));
    expect([...initialOf(net, 'stem/norm/mean')]).toEqual(Array(16).fill(0));
    expect([...initialOf(net, 'stem/norm/variance')]).toEqual(Array(16).fill(1));
  });

  test('ResNet-18: uniform of the fan-in; ResNet-50: Kaiming-normal of the fan-out', () => {
    const uniform = initialOf(model({ name: 'resnet18-cifar' }), 'stage2/block2/conv1/kernel');
    expect(deviation(uniform)).toBeCloseTo(1 / Math.sqrt(3 * 9 * 128), 3);
    expect(uniform.every((value) => Math.abs(value) <= 1 / Math.sqrt(9 * 128))).toBe(true);
    const normal = initialOf(model({ name: 'resnet50' }), 'stage1/block1/conv3/kernel');
    expect(deviation(normal)).toBeCloseTo(Math.sqrt(2 / 256), 2);
  });

  test('cosine head: class vectors of length 1, no bias', () => {
    const net = model({ name: 'small-cnn', head: 'cosine' });
    const kernel = initialOf(net, 'classifier/kernel');
    for (const column of [0, 1, 2]) {
      const vector = kernel.filter((_, i) => i % 3 === column);
      expect(Math.hypot(...vector)).toBeCloseTo(1, 5);
    }
    expect(net.weights.map(({ name }) => name)).not.toContain('classifier/bias');
  });
});

describe('options', () => {
  test('defaults', () => {
    expect(modelOptions.parse({ name: 'mlp' })).toEqual({
      name: 'mlp',
      width: 128,
      depth: 2,
      head: 'linear',
      bias: true,
      scale: 1,
    });
    expect(modelNames.map((name) => modelOptions.parse({ name }).width)).toEqual([
      16, 64, 64, 64, 64, 64, 64, 64, 1, 96, 192, 384, 768, 384, 768, 16, 128,
    ]);
  });

  test('no classifier bias', () => {
    const names = model({ name: 'resnet32', bias: false }).weights.map(({ name }) => name);
    expect(names).toContain('classifier/kernel');
    expect(names).not.toContain('classifier/bias');
  });

  test('images too small', () => {
    const options = modelOptions.parse({ name: 'resnet50' });
    expect(() => createModel(options, { classes: 10, imageShape: [28, 32, 3] })).toThrowErrorMatchingInlineSnapshot(
      `[TailmixError: model.name: resnet50 expects images of at least 32×32 pixels; got 28×32. Choose a smaller model, for example small-cnn or mlp.]`,
    );
    const patches = modelOptions.parse({ name: 'vit-tiny-16' });
    expect(() => createModel(patches, { classes: 10, imageShape: [225, 224, 3] })).toThrowErrorMatchingInlineSnapshot(
      `[TailmixError: model.name: vit-tiny-16 expects images whose sides are multiples of 16 pixels, its patches; got 225×224. Set data.imageSize, for example 224.]`,
    );
  });
});

describeBackends('forward pass', (use) => {
  beforeAll(use);

  test.each(modelNames)('%s goes through its stages in order and works with what they return', (name) => {
    const net = model(smallOptions(name));
    const visited: string[] = [];
    const rows = { first: 5 };
    tf.tidy(() => {
      const pass: Pass = {
        training: true,
        inputs: {},
        variants: {},
        atStage(stage, features) {
          visited.push(stage);
          expect(features.shape[0]).toBe(visited.length > 2 ? 3 : rows.first);
          if (stage !== net.stages[1]) return features;
          return features.slice(
            features.shape.map(() => 0),
            [3, ...features.shape.slice(1)],
          );
        },
      };
      const { logits, features } = net.forward(
        initialWeights(net),
        tf.zeros([rows.first, sideOf(name), sideOf(name), 3]),
        pass,
      );
      expect(logits.shape).toEqual([3, task.classes]);
      expect(features.shape).toEqual([3, net.featureSize]);
    });
    expect(visited).toEqual(net.stages);
  });

  test('cosines stay within ±scale, and features of zeros are no NaN', () => {
    const net = model({ name: 'mlp', head: 'cosine', scale: 16 });
    const pass: Pass = { training: true, inputs: {}, variants: {}, atStage: (_, features) => features };
    const weights = initialWeights(net);
    const logits = net.forward(weights, tf.randomUniform([4, 32, 32, 3], -1, 1, 'float32', 5), pass).logits.dataSync();
    expect(Math.max(...logits.map(Math.abs))).toBeLessThanOrEqual(16);
    expect(Math.max(...logits.map(Math.abs))).toBeGreaterThan(0.1);
    const kernel = 'classifier/kernel';
    const gradient = tf.grad((tensor) => {
      const { logits } = net.forward({ ...weights, [kernel]: tensor }, tf.zeros([1, 32, 32, 3]), pass);
      return logits.sum();
    })(weights[kernel]!);
    expect([...gradient.dataSync()].every((value) => value === 0)).toBe(true);
  });
});
