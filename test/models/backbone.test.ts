import { beforeAll, expect, test } from 'vitest';
import { layersModel } from '../../src/models/open.ts';
import type { Model, Pass } from '../../src/models/types.ts';
import { randomStream } from '../../src/random.ts';
import type { NamedTensors } from '../../src/tf.ts';
import { tf } from '../../src/tf.ts';
import { describeBackends, normals, relativeDistance } from '../backend/kernels/support.ts';
import { mobileNet } from './mobile.ts';

const task = { classes: 5, imageShape: [16, 16, 3], mean: [0.5, 0.4, 0.3], std: [0.2, 0.25, 0.3] } as const;
const pass = (changes: Partial<Pass> = {}): Pass => ({
  training: false,
  inputs: {},
  variants: {},
  atStage: (_, features) => features,
  ...changes,
});

const weightsOf = ({ weights }: Model): NamedTensors =>
  Object.fromEntries(
    weights.map(({ name, shape, initial }) => [name, tf.tensor(initial(randomStream(1, name)), [...shape])]),
  );

describeBackends('a LayersModel as backbone', (use, backend) => {
  beforeAll(use);

  test('gives the features that the model itself predicts, in each pixel range', () => {
    const whole = mobileNet({ top: false });
    const pixels = tf.randomUniform([4, 16, 16, 3], 0, 256, 'float32', 3).floor();
    const normalised = pixels.div(255).sub(task.mean).div(task.std);
    const ranges = {
      bytes: pixels,
      unit: pixels.div(255),
      signed: pixels.div(127.5).sub(1),
      normalised,
    };
    for (const [range, given] of Object.entries(ranges)) {
      const model = layersModel(whole, { pixels: range as 'bytes' }, task);
      const { features } = model.forward(weightsOf(model), normalised, pass());
      expect(relativeDistance(features, whole.predict(given) as tf.Tensor)).toBeLessThan(2e-6);
    }
  });

  test('gives the gradients and averages that tfjs gives', () => {
    const whole = mobileNet({ top: false });
    const model = layersModel(whole, { pixels: 'normalised' }, task);
    expect(model.stages).toEqual(['input', 'features']);
    const images = normals([6, 16, 16, 3], 'images');
    const wanted = normals([6, 12], 'cotangent');
    const weights = weightsOf(model);
    const trained = model.weights.filter(({ kind, name }) => kind !== 'statistic' && !name.startsWith('classifier'));
    let statistics: NamedTensors = {};
    const gradients = tf.grads((...values) => {
      const all = { ...weights, ...Object.fromEntries(trained.map(({ name }, i) => [name, values[i]!])) };
      const outputs = model.forward(all, images, pass({ training: true }));
      statistics = Object.fromEntries(Object.entries(outputs.statistics).map(([k, v]) => [k, tf.keep(v.clone())]));
      return outputs.features.mul(wanted).sum();
    });
    const given = trained.map(({ name }) => weights[name]!);
    // WASM has no gradient of depthwise convolutions; its forward pass is held above.
    if (backend === 'wasm') {
      expect(() => gradients(given)).toThrow(/Kernel 'DepthwiseConv2dNative\w+' not registered/);
      return;
    }
    const own = gradients(given);
    const before = whole.getWeights().map((weight) => weight.dataSync().slice());

    const { grads } = tf.variableGrads(
      () => (whole.apply(images, { training: true }) as tf.Tensor).mul(wanted).sum() as tf.Scalar,
    );
    expect(trained).toHaveLength(Object.keys(grads).length);
    for (const [i, { name }] of trained.entries()) {
      const variable = whole.weights.find(({ originalName }) => originalName === name)!;
      expect(relativeDistance(own[i]!, grads[variable.name]!), name).toBeLessThan(2e-5);
    }
    const moving = whole.weights.filter(({ originalName }) => originalName.includes('moving'));
    expect(Object.keys(statistics).sort()).toEqual(moving.map(({ originalName }) => originalName).sort());
    for (const variable of moving) {
      expect(relativeDistance(statistics[variable.originalName]!, variable.read())).toBeLessThan(2e-6);
    }
    // tfjs's own pass changed its averages; the pass before it changed nothing.
    const after = layersModel(mobileNet({ top: false }), { pixels: 'normalised' }, task);
    expect(before.length).toBe(after.weights.length - 2);
    expect(after.weights.slice(0, -2).map(({ initial }) => [...initial(randomStream())])).toEqual(
      expect.arrayContaining([[...before[0]!]]),
    );
  });
});
