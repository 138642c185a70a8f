import { beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import ema from '../../plugins/ema/index.ts';
import { loadBackend } from '../../src/backend/load.ts';
import { compose } from '../../src/compose/compose.ts';
import type { Model, Pass } from '../../src/models/types.ts';
import { definePlugin, type Plugin } from '../../src/plugin.ts';
import { randomStream } from '../../src/random.ts';
import { createBatch, createTargets } from '../../src/step/batch.ts';
import { createEagerEngine } from '../../src/step/eager.ts';
import { trainFeeds } from '../../src/step/inputs.ts';
import { createStepProgram, type ProgramOptions } from '../../src/step/program.ts';
import { signatureFor } from '../../src/step/signature.ts';
import type { Update } from '../../src/step/types.ts';
import { tf } from '../../src/tf.ts';
import { infoWithCounts } from '../support/plugins.ts';
import { twoLayerSteps } from '../support/two-layers.ts';

beforeAll(async () => {
  await loadBackend();
});

test('the update sees the statistics of its own step: an average takes the new ones, not those of the step before', () => {
  const { program, calls } = twoLayerSteps([ema({ decay: 0.5, warmup: false })], { steps: 3 });
  const engine = createEagerEngine(program);
  let average = [0, 0, 0, 0, 0];
  for (const [signature, feeds] of calls) {
    engine.run(signature, feeds);
    const state = engine.read(['hidden/mean', 'ema/hidden/mean']);
    average = average.map((before, i) => 0.5 * before + 0.5 * state['hidden/mean']![i]!);
    expect(average.every((value) => Math.abs(value) > 1e-4)).toBe(true);
    state['ema/hidden/mean']!.forEach((value, i) => {
      expect(value).toBeCloseTo(average[i]!, 6);
    });
  }
  engine.dispose();
});

const none = z.strictObject({});

const KERNEL = 'classifier/kernel';

/** Two pixels, two classes, logits x·kernel + bias; the statistic counts steps. `seen` are the passes of the forward. */
function model(seen: { pass: Pass; images: number[]; stages: number[][] }[] = []): Model {
  return {
    name: 'two-pixels',
    stages: ['input', 'stage1'],
    featureSize: 2,
    weights: [
      {
        name: KERNEL,
        shape: [2, 2],
        kind: 'kernel',
        initial: (random) => Float32Array.from({ length: 4 }, () => random.normal()),
      },
      { name: 'classifier/bias', shape: [2], kind: 'bias', initial: () => Float32Array.of(0.5, -0.5) },
      { name: 'steps', shape: [], kind: 'statistic', initial: () => Float32Array.of(10) },
      { name: 'unused', shape: [1], kind: 'norm', initial: () => Float32Array.of(7) },
    ],
    forward(weights, images, pass) {
      const x = pass.atStage('input', images);
      const features = pass.atStage('stage1', x.reshape([-1, 2])) as tf.Tensor2D;
      seen.push({ pass, images: [...images.dataSync()], stages: [x.shape, features.shape] });
      const logits = features.matMul(weights[KERNEL] as tf.Tensor2D).add(weights['classifier/bias']!) as tf.Tensor2D;
      return { logits, features, statistics: pass.training ? { steps: weights.steps!.add(1) } : {} };
    },
  };
}

/** w ← w − gradient, with a slot that sums gradients of the kernel up and begins as the kernel. */
function update(
  seen: { trained?: string[]; all?: string[]; weights?: Record<string, number[]>; gradients?: string[] } = {},
): Update {
  return {
    slots(trained, all) {
      seen.trained = trained.map(({ name }) => name);
      seen.all = all.map(({ name }) => name);
      return [{ name: 'sum', shape: [2, 2], initial: (values) => values[KERNEL]!.slice() }];
    },
    apply(weights, slots, gradients) {
      seen.weights = Object.fromEntries(Object.entries(weights).map(([name, value]) => [name, [...value.dataSync()]]));
      seen.gradients = Object.keys(gradients);
      return {
        weights: Object.fromEntries(
          Object.entries(gradients).map(([name, value]) => [name, weights[name]!.sub(value)]),
        ),
        slots: { sum: slots.sum!.add(gradients[KERNEL] ?? 0) },
      };
    },
  };
}

const options = (changes: Partial<ProgramOptions> = {}): ProgramOptions => ({
  seed: 3,
  imageShape: [1, 1, 2],
  mean: [0.5, 0],
  std: [0.5, 2],
  batchSizes: [2],
  evaluateBatchSize: 4,
  optimizer: update(),
  ...changes,
});

const pixels = Uint8Array.of(255, 0, 0, 255);
// (x/255 − mean) / std of the two images.
const normalised = [1, 0, -1, 0.5];

/** A program, and a step over two images of classes 0 and 1. */
function prepare(made: Model, plugins: readonly Plugin[] = [], changes: Partial<ProgramOptions> = {}) {
  const composition = compose(plugins, infoWithCounts([3, 2]));
  const program = createStepProgram(made, composition, options(changes));
  const engine = createEagerEngine(program);
  const extra = Object.keys(composition.draws).length;
  const labels = Int32Array.from({ length: 2 + 2 * extra }, (_, i) => i % 2);
  const batch = createBatch({ size: 2, indices: labels, labels, draws: {} }, composition.variants);
  const feeds = trainFeeds({
    batch,
    targets: createTargets(batch),
    images: Uint8Array.from({ length: 4 * (1 + extra) }, (_, i) => pixels[i % 4]!),
    imageShape: [1, 1, 2],
    classWeights: Float64Array.of(1, 1),
    learningRate: 1,
    reduction: 'mean',
  });
  return {
    program,
    engine,
    step: (variants = batch.variants) => engine.run(signatureFor(program, 'train', variants, 2), feeds),
    predict: () => engine.run(signatureFor(program, 'predict', {}), { images: Uint8Array.of(...pixels, ...pixels) }),
  };
}

const kernelOf = (seed: number): Float32Array => {
  const random = randomStream(seed, 'init', KERNEL);
  return Float32Array.from({ length: 4 }, () => random.normal());
};

describe('the state that a program begins with', () => {
  test('weights are drawn from the stream of their name, slots begin from the weights', () => {
    const state = prepare(model()).engine.read();
    expect(state).toEqual({
      [KERNEL]: kernelOf(3),
      'classifier/bias': Float32Array.of(0.5, -0.5),
      steps: Float32Array.of(10),
      unused: Float32Array.of(7),
      sum: kernelOf(3),
    });
  });

  test('initial values replace those that are drawn, for slots too, and stay the caller’s', () => {
    const given = Float32Array.of(1, 2, 3, 4);
    const { program } = prepare(model(), [], { initial: { [KERNEL]: given } });
    expect([...program.state[KERNEL]!.values]).toEqual([1, 2, 3, 4]);
    expect([...program.state.sum!.values]).toEqual([1, 2, 3, 4]);
    expect(program.state[KERNEL]!.values).not.toBe(given);
    expect(program.state[KERNEL]!.shape).toEqual([2, 2]);
  });
});

describe('a training step', () => {
  const initial = { [KERNEL]: Float32Array.of(1, 0, 0, 1), 'classifier/bias': Float32Array.of(0, 0) };
  // Logits (1, 0) and (−1, 0.5) of classes 0 and 1; p is the probability of class 1.
  const p = [1 / (1 + Math.E), 1 / (1 + Math.exp(-1.5))];
  const loss = -(Math.log(1 - p[0]!) + Math.log(p[1]!)) / 2;
  // Slopes of the loss by the logits of class 1: p and p − 1, over two images; those of class 0 are the negatives.
  const slope = [p[0]! / 2, (p[1]! - 1) / 2];
  const kernelSlope = [-(slope[0]! - slope[1]!), slope[0]! - slope[1]!, -0.5 * slope[1]!, 0.5 * slope[1]!];

  const near = (actual: ArrayLike<number>, expected: readonly number[]): void => {
    expect(actual).toHaveLength(expected.length);
    for (const [i, value] of expected.entries()) expect(actual[i]).toBeCloseTo(value, 5);
  };

  test('by hand: loss, predictions, gradients, statistics, slots', () => {
    const { engine, step } = prepare(model(), [], { initial });
    const outputs = step();
    expect(Object.keys(outputs)).toEqual(['loss', 'predictions']);
    near(outputs.loss!, [loss]);
    expect([...outputs.predictions!]).toEqual([0, 1]);
    const state = engine.read();
    near(
      state[KERNEL]!,
      kernelSlope.map((value, i) => [1, 0, 0, 1][i]! - value),
    );
    near(state['classifier/bias']!, [slope[0]! + slope[1]!, -slope[0]! - slope[1]!]);
    near(
      state.sum!,
      kernelSlope.map((value, i) => [1, 0, 0, 1][i]! + value),
    );
    expect([state.steps![0], state.unused![0]]).toEqual([11, 7]);
  });

  test('the forward pass sees normalised images, variants and inputs; prediction is another pass', () => {
    const seen: Parameters<typeof model>[0] = [];
    const { step, predict } = prepare(model(seen), [], { initial, fixed: new Set(['steps']) });
    const { logits } = predict();
    step();
    near(logits!, [1, 0, -1, 0.5, 1, 0, -1, 0.5]);
    const [prediction, training] = seen;
    near(training!.images, normalised);
    near(prediction!.images, [...normalised, ...normalised]);
    expect(training!.pass).toMatchObject({ training: true, variants: {}, fixed: new Set(['steps']) });
    expect(Object.keys(training!.pass.inputs).sort()).toEqual([
      'images',
      'labels',
      'learningRate',
      'normalizer',
      'weight',
    ]);
    expect(prediction!.pass).toMatchObject({ training: false, variants: {} });
    expect(prediction!.pass.fixed).toBeUndefined();
  });

  test('the optimizer is given what is trained, and every weight; weights that the loss does not reach have no gradient', () => {
    const seen: Parameters<typeof update>[0] = {};
    const { step } = prepare(model(), [], { initial, optimizer: update(seen) });
    step();
    expect(seen).toMatchObject({
      trained: [KERNEL, 'classifier/bias', 'unused'],
      all: [KERNEL, 'classifier/bias', 'steps', 'unused'],
      gradients: [KERNEL, 'classifier/bias'],
    });
    expect(Object.keys(seen.weights!)).toEqual([KERNEL, 'classifier/bias', 'steps', 'unused']);
    expect(seen.weights!.steps).toEqual([11]);
  });

  test('frozen weights and fixed statistics stay', () => {
    const seen: Parameters<typeof update>[0] = {};
    const { engine, step } = prepare(model(), [], {
      initial,
      optimizer: update(seen),
      frozen: new Set([KERNEL]),
      fixed: new Set(['steps']),
    });
    step();
    const state = engine.read();
    expect([...state[KERNEL]!]).toEqual([1, 0, 0, 1]);
    expect(state.steps![0]).toBe(10);
    expect(state['classifier/bias']![0]).not.toBe(0);
    expect([seen.trained, seen.gradients]).toEqual([['classifier/bias', 'unused'], ['classifier/bias']]);
  });

  test('penalties are given out by name, pull on the weights, and are not part of the loss', () => {
    const penalty = definePlugin({
      name: 'penalty',
      options: none,
      apply: ({ hooks }) => {
        hooks.buildLoss.tap('penalty', (before) => ({
          ...before,
          penalties: {
            ...before.penalties,
            one: (_, weights) => weights.unused!.square().sum() as tf.Scalar,
            two: ({ features }, _weights, pass) => features.sum().mul(pass.training ? 2 : 0) as tf.Scalar,
          },
        }));
      },
    });
    const { engine, step } = prepare(model(), [penalty()], { initial });
    const outputs = step();
    expect(Object.keys(outputs)).toEqual(['loss', 'predictions', 'penalty/one', 'penalty/two']);
    near(outputs.loss!, [loss]);
    near(outputs['penalty/one']!, [49]);
    near(outputs['penalty/two']!, [1]);
    near(engine.read().unused!, [7 - 14]);
  });

  test('steps leave no tensor behind', () => {
    const { step, predict } = prepare(model());
    step();
    predict();
    const before = tf.memory().numTensors;
    for (let i = 0; i < 3; i++) step();
    predict();
    expect(tf.memory().numTensors).toBe(before);
  });
});

describe('where rows are mixed', () => {
  const mixer = definePlugin({
    name: 'mixer',
    options: none,
    provides: ['mix'],
    variants: () => ({ mix: ['stage1', 'none'] }),
    draw: () => () => Float64Array.of(1, 1),
    apply: () => {},
  });
  const drawn = definePlugin({
    name: 'drawn',
    options: none,
    draw: () => () => Float64Array.of(1, 1),
    apply: () => {},
  });

  test('an extra draw that nothing mixes is cut off at the input', () => {
    const seen: Parameters<typeof model>[0] = [];
    prepare(model(seen), [drawn()]).step();
    expect(seen[0]!.images).toHaveLength(8);
    expect(seen[0]!.stages).toEqual([
      [2, 1, 1, 2],
      [2, 2],
    ]);
  });

  test('the whole pool reaches the stage that mixes; one that is no stage of the model mixes nowhere', () => {
    const seen: Parameters<typeof model>[0] = [];
    const { program, step } = prepare(model(seen), [mixer()]);
    step();
    expect(seen[0]!.stages).toEqual([
      [4, 1, 1, 2],
      [2, 2],
    ]);
    expect(signatureFor(program, 'train', { mix: 'none' }).inputs.mixMatrix!.shape).toEqual([2, 4]);
  });

  test('every signature is foreseen: batch sizes × variants, and one for prediction', () => {
    const { program } = prepare(model(), [mixer(), drawn()], { batchSizes: [2, 1] });
    expect(
      program.signatures.map(({ call, variants, inputs }) => [call, variants, inputs.images, inputs.labels?.shape]),
    ).toEqual([
      ['train', { mix: 'stage1' }, { shape: [6, 1, 1, 2], dtype: 'uint8' }, [2]],
      ['train', { mix: 'none' }, { shape: [6, 1, 1, 2], dtype: 'uint8' }, [2]],
      ['train', { mix: 'stage1' }, { shape: [3, 1, 1, 2], dtype: 'uint8' }, [1]],
      ['train', { mix: 'none' }, { shape: [3, 1, 1, 2], dtype: 'uint8' }, [1]],
      ['predict', {}, { shape: [4, 1, 1, 2], dtype: 'uint8' }, undefined],
    ]);
  });
});
