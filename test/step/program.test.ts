import { beforeAll, describe, expect, test } from 'vitest';
import ema from '../../plugins/ema/index.ts';
import { loadBackend } from '../../src/backend/load.ts';
import { definePlugin } from '../../src/plugin.ts';
import { createEagerEngine } from '../../src/step/eager.ts';
import type { Update } from '../../src/step/types.ts';
import { tf } from '../../src/tf.ts';
import { messageOfError } from '../support/message.ts';
import { twoLayerSteps } from '../support/two-layers.ts';

import { KERNEL, kernelOf, model, none, normalised, prepare, update } from './program-support.ts';

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

  test('a slot may begin from all weights, which it sees by name', () => {
    const counting: Update = {
      ...update(),
      slots: () => [{ name: 'sum', shape: [], initial: (values) => Float32Array.of(Object.keys(values).length) }],
    };
    expect([...prepare(model(), [], { optimizer: counting }).program.state.sum!.values]).toEqual([4]);
  });

  test('initial values replace those that are drawn, for slots too, and stay the caller’s', () => {
    const given = Float32Array.of(1, 2, 3, 4);
    const doubling: Update = {
      ...update(),
      slots: () => [
        { name: 'sum', shape: [2, 2], initial: (values) => values[KERNEL]!.fill(5) },
        { name: 'copy', shape: [2, 2], initial: (values) => values[KERNEL]! },
      ],
    };
    const { program } = prepare(model(), [], { initial: { [KERNEL]: given }, optimizer: doubling });
    const valuesOf = (name: string) => [...program.state[name]!.values];
    expect([valuesOf('sum'), valuesOf('copy'), valuesOf(KERNEL)]).toEqual([
      [5, 5, 5, 5],
      [1, 2, 3, 4],
      [1, 2, 3, 4],
    ]);
    expect([...given]).toEqual([1, 2, 3, 4]);
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
    expect(Object.keys(outputs)).toEqual(['loss', 'predictions', 'gradientSums']);
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

  test('a model whose own forward pass gives rows of another number is named', async () => {
    const short: ReturnType<typeof model> = {
      ...model(),
      forward(...given) {
        const found = model().forward(...given);
        return { ...found, logits: found.logits.slice([0, 0], [1, 2]) };
      },
    };
    expect(await messageOfError(() => prepare(short).step())).toBe(
      'model "two-pixels": expected its forward to give logits as a row for each of 2 images; got [1, 2]. Correct the module.',
    );
  });

  test('a plugin that gives gradients of its own gives one for each weight that is trained', async () => {
    const own = definePlugin({
      name: 'own',
      options: none,
      apply: ({ hooks }) => {
        hooks.buildGradients.tap('own', () => () => ({
          loss: tf.scalar(1),
          penalties: {},
          figures: {},
          perSample: {},
          outputs: { logits: tf.zeros([2, 2]), features: tf.zeros([2, 8]), statistics: {} },
          gradients: { [KERNEL]: tf.zeros([2, 2]) },
        }));
      },
    });
    expect(await messageOfError(() => prepare(model(), [own()]).step())).toMatch(
      /^\[own] buildGradients: gradients: expected one for each weight that is trained, "classifier\/bias" too; got none for it\./,
    );
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
    expect(Object.keys(outputs)).toEqual(['loss', 'predictions', 'gradientSums', 'penalty/one', 'penalty/two']);
    near(outputs.loss!, [loss]);
    near(outputs['penalty/one']!, [49]);
    near(outputs['penalty/two']!, [1]);
    expect(outputs.gradientSums!.at(-1)).toBeCloseTo(14, 5);
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
