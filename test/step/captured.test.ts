import { expect, test } from 'vitest';
import { batchNorm, relu, softmaxCrossEntropy } from '../../src/backend/kernels/index.ts';
import type { GraphFunction, GraphProgram } from '../../src/graph/types.ts';
import { createCapturedEngine } from '../../src/step/captured/engine.ts';
import type { NamedTensors } from '../../src/tf.ts';
import { ofRank, tf } from '../../src/tf.ts';
import {
  bothEngines,
  countingCalls,
  describeNative,
  liveTensors,
  programOf,
  relativeDistance,
  signature,
  waves,
} from './captured-support.ts';

const CLASSES = 4;
const TRAINED = ['conv', 'scale', 'shift', 'dense'];

function forward(weights: NamedTensors, images: tf.Tensor, training: boolean) {
  const pixels = images.div(255).sub(tf.tensor1d([0.4, 0.5, 0.6]));
  const x = pixels.conv2d(ofRank(weights.conv, 4), 1, 'same');
  const [scale, shift, mean, variance] = ['scale', 'shift', 'mean', 'variance'].map((name) => weights[name]!);
  const normal = batchNorm(x, scale!, shift!, mean!, variance!, { training });
  const pooled = relu(normal.y).maxPool(2, 2, 'valid');
  const logits = tf.matMul(tf.mean(pooled, [1, 2]), weights.dense!);
  return { logits, statistics: { mean: normal.mean, variance: normal.variance } as NamedTensors };
}

/** One step of SGD with momentum and weight decay; the variant `mix` blends each image with its neighbour. */
const train: GraphFunction = (state, inputs, { mix }) => {
  const images =
    mix === 'yes' ? inputs.images!.mul(inputs.share!).add(inputs.images!.reverse(0).mul(0.25)) : inputs.images!;
  const labels = inputs.labels!;
  let statistics: NamedTensors = {};
  const gradients = tf.valueAndGrads((...trained: tf.Tensor[]) => {
    const weights = { ...state, ...Object.fromEntries(TRAINED.map((name, i) => [name, trained[i]!])) };
    const outputs = forward(weights, images, true);
    statistics = outputs.statistics;
    for (const statistic of Object.values(statistics)) tf.keep(statistic);
    const losses = softmaxCrossEntropy(outputs.logits!, labels).mul(tf.gather(inputs.classWeights!, labels));
    return losses.mean();
  })(TRAINED.map((name) => state[name]!));
  const next: NamedTensors = Object.fromEntries(
    Object.entries(statistics).map(([name, value]) => [name, value.clone()]),
  );
  tf.dispose(statistics);
  for (const [i, name] of TRAINED.entries()) {
    const gradient = gradients.grads[i]!.add(state[name]!.mul(5e-4));
    const momentum = state[`momentum/${name}`]!.mul(0.9).add(gradient);
    next[`momentum/${name}`] = momentum;
    next[name] = state[name]!.sub(momentum.mul(inputs.learningRate!));
  }
  return { state: next, outputs: { loss: gradients.value } };
};

const predict: GraphFunction = (state, { images }) => {
  const { logits } = forward(state, images!, false);
  return { state: {}, outputs: { logits, best: tf.argMax(logits, 1) } };
};

const shapes = { conv: [3, 3, 3, 8], scale: [8], shift: [8], dense: [8, CLASSES] };
const initial: GraphProgram['state'] = {
  ...waves(shapes),
  ...waves(Object.fromEntries(Object.entries(shapes).map(([name, shape]) => [`momentum/${name}`, shape])), 0),
  mean: { shape: [8], values: new Float32Array(8) },
  variance: { shape: [8], values: new Float32Array(8).fill(1) },
};

const trainOf = (batch: number, mix = 'no') =>
  signature(
    'train',
    {
      images: [[batch, 8, 8, 3], 'uint8'],
      labels: [[batch], 'int32'],
      classWeights: [[CLASSES], 'float32'],
      learningRate: [[], 'float32'],
      share: [[], 'float32'],
    },
    { mix },
  );
const predictOf = (batch: number) => signature('predict', { images: [[batch, 8, 8, 3], 'uint8'] });

const imagesOf = (batch: number, step: number) =>
  Uint8Array.from({ length: batch * 192 }, (_, i) => (i * i + 31 * i + 97 * step) % 256);
const batchOf = (batch: number, step: number) => ({
  images: imagesOf(batch, step),
  labels: Int32Array.from({ length: batch }, (_, i) => (i * 3 + step) % CLASSES),
  classWeights: Float32Array.of(0.5, 1, 1.5, 2),
  learningRate: Float32Array.of(0.1 / (1 + step)),
  share: Float32Array.of(0.5 + step / 100),
});

const program: GraphProgram = {
  functions: { train, predict },
  state: initial,
  signatures: [trainOf(8), trainOf(8, 'yes'), trainOf(5), predictOf(6)],
};

describeNative('captured engine', (use) => {
  test('20 steps equal eager ones, over several signatures that share one state', () => {
    const engines = bothEngines(program, use());
    for (let step = 0; step < 20; step++) {
      const [batch, mix] = step % 7 === 6 ? [5, 'no'] : [8, step % 3 === 0 ? 'yes' : 'no'];
      const losses = engines.run(trainOf(batch as number, mix as string), batchOf(batch as number, step));
      expect(relativeDistance(losses.captured, losses.eager)).toBeLessThan(1e-6);
      if (step % 5 === 4) {
        const logits = engines.run(predictOf(6), { images: imagesOf(6, step) });
        expect(relativeDistance(logits.captured, logits.eager)).toBeLessThan(1e-5);
        expect(logits.captured.best).toEqual(logits.eager.best);
        expect(logits.captured.best).toBeInstanceOf(Int32Array);
      }
    }
    const [eager, captured] = [engines.eager.read(), engines.captured.read()];
    for (const name of Object.keys(initial)) {
      expect(relativeDistance({ [name]: captured[name]! }, { [name]: eager[name]! })).toBeLessThan(1e-5);
    }
    expect(relativeDistance({ conv: captured.conv! }, { conv: initial.conv!.values })).toBeGreaterThan(1e-3);
    expect(engines.captured.stats).toMatchObject({ signatures: 4, rebuilds: 0, runs: 24 });
    engines.dispose();
  });

  test('a step runs in one session call and no op', () => {
    const calls = countingCalls(use(), (backend) => {
      const engine = createCapturedEngine(program, backend);
      const before = countingCalls(backend, () => {
        for (let step = 0; step < 3; step++) engine.run(trainOf(8), batchOf(8, step));
      });
      expect(before.ops).toBe(0);
      engine.dispose();
    });
    expect(calls.sessions).toBe(3 + 1);
    expect(calls.ops).toBeGreaterThan(0);
  });

  test('a signature that was not foreseen joins the graph and keeps the state', () => {
    const engines = bothEngines({ ...program, signatures: [trainOf(8)] }, use());
    engines.run(trainOf(8), batchOf(8, 0));
    engines.run(trainOf(5), batchOf(5, 1));
    const { eager, captured } = engines.run(predictOf(3), { images: imagesOf(3, 2) });
    expect(relativeDistance(captured, eager)).toBeLessThan(1e-5);
    expect(engines.captured.stats).toMatchObject({ signatures: 3, rebuilds: 2, runs: 3 });
    expect(use().binding!.getNumOfSavedModels()).toBe(1);
    engines.dispose();
  });

  test('state is read and written by name, and copied both ways', () => {
    const engine = createCapturedEngine(program, use());
    const dense = new Float32Array(32).fill(0.5);
    engine.write({ dense, scale: new Float32Array(8).fill(2) });
    dense.fill(-1);
    const read = engine.read(['dense', 'scale', 'conv']);
    expect(Object.keys(read)).toEqual(['dense', 'scale', 'conv']);
    expect(new Set(read.dense)).toEqual(new Set([0.5]));
    expect(new Set(read.scale)).toEqual(new Set([2]));
    expect(read.conv).toEqual(initial.conv!.values);
    read.conv!.fill(0);
    expect(engine.read(['conv']).conv).toEqual(initial.conv!.values);
    engine.dispose();
  });

  test('state that becomes an input is a copy of the host memory', () => {
    const step: GraphFunction = (_, { value }) => ({ state: { kept: value! }, outputs: {} });
    const engine = createCapturedEngine(
      programOf(step, { value: [[64], 'float32'] }, { kept: { shape: [64], values: new Float32Array(64) } }),
      use(),
    );
    const value = new Float32Array(64).fill(3);
    expect(engine.run(signature('step', { value: [[64], 'float32'] }), { value })).toEqual({});
    value.fill(9);
    expect(new Set(engine.read().kept)).toEqual(new Set([3]));
    engine.dispose();
  });

  test('state is read before it is assigned, also where two arrays change places', () => {
    const step: GraphFunction = ({ a, b }) => ({
      state: { a: b!, b: a!.add(0) },
      outputs: { sum: a!.add(b!.mul(10)) },
    });
    const state = {
      a: { shape: [1], values: Float32Array.of(1) },
      b: { shape: [1], values: Float32Array.of(2) },
    };
    const engine = createCapturedEngine(programOf(step, {}, state), use());
    const sums = Array.from({ length: 200 }, () => engine.run(signature('step'), {}).sum![0]);
    expect(sums).toEqual(Array.from({ length: 200 }, (_, i) => (i % 2 === 0 ? 21 : 12)));
    engine.dispose();
  });

  test('large state moves in several parts; initial values are asked for once each', () => {
    const size = 9 * 2 ** 20;
    const asked: string[] = [];
    const arrayOf = (name: string, value: number) => ({
      shape: [size],
      get values() {
        asked.push(name);
        return new Float32Array(size).fill(value);
      },
    });
    const state = { a: arrayOf('a', 1), b: arrayOf('b', 2), small: { shape: [], values: Float32Array.of(3) } };
    const step: GraphFunction = ({ a, b }) => ({ state: { b: b!.add(a!) }, outputs: {} });
    const engine = createCapturedEngine(programOf(step, {}, state), use());
    expect(asked).toEqual(['a', 'b']);
    engine.run(signature('step'), {});
    engine.write({ a: new Float32Array(size).fill(10) });
    engine.run(signature('step'), {});
    const { a, b, small } = engine.read();
    expect([a, b, small].map((values) => [values![0], values!.at(-1), values!.length])).toEqual([
      [10, 10, size],
      [13, 13, size],
      [3, 3, 1],
    ]);
    engine.dispose();
  });

  test('no tensor, model or folder is left after dispose', () => {
    const backend = use();
    const before = [...liveTensors(backend), backend.binding!.getNumOfSavedModels()];
    const engine = createCapturedEngine(program, backend);
    const created = liveTensors(backend);
    for (let step = 0; step < 5; step++) engine.run(trainOf(8), batchOf(8, step));
    engine.read();
    expect(liveTensors(backend)).toEqual(created);
    engine.dispose();
    engine.dispose();
    expect([...liveTensors(backend), backend.binding!.getNumOfSavedModels()]).toEqual(before);
  });
});
