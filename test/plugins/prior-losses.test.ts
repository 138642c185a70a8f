import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import balancedSoftmax from '../../plugins/balanced-softmax/index.ts';
import cdt, { classTemperatures } from '../../plugins/cdt/index.ts';
import gcl, { cloudNoise, cloudSizes } from '../../plugins/gcl/index.ts';
import logitAdjustment from '../../plugins/logit-adjustment/index.ts';
import vs, { vectorScaling } from '../../plugins/vs/index.ts';
import { loadBackend } from '../../src/backend/load.ts';
import { compose } from '../../src/compose/compose.ts';
import { logPrior } from '../../src/long-tail/class-prior.ts';
import type { Plugin } from '../../src/plugin.ts';
import { randomStream } from '../../src/random.ts';
import { tf } from '../../src/tf.ts';
import { createTrainer } from '../../src/train/trainer.ts';
import { lossOf } from '../support/given-logits.ts';
import { at, infoWithCounts, mixBatch } from '../support/plugins.ts';
import { squares, tinyModel } from '../support/squares.ts';

beforeAll(async () => {
  await loadBackend();
});

const rounded = (values: Iterable<number>): number[] => Array.from(values, (value) => Number(value.toFixed(12)));

describe('by hand', () => {
  test('logPrior; a class without images counts as one of a single image', () => {
    expect(Array.from(logPrior([60, 30, 10]))).toEqual([0.6, 0.3, 0.1].map(Math.log));
    expect(Array.from(logPrior([99, 1, 0]))).toEqual([0.99, 0.01, 0.01].map(Math.log));
  });

  test('classTemperatures: roots of the ratio to the largest class', () => {
    expect(rounded(classTemperatures([1600, 400, 16], 0.5))).toEqual([1, 2, 10]);
  });

  test('vectorScaling: factors and shifts', () => {
    const { factors, shifts } = vectorScaling([1600, 400, 16], { gamma: 0.5, tau: 2 });
    expect(rounded(factors)).toEqual([1, 0.5, 0.1]);
    expect(rounded(shifts)).toEqual(rounded([1600, 400, 16].map((n) => 2 * Math.log(n / 2016))));
  });

  test('cloudSizes: logarithms from the largest class to the rarest', () => {
    expect(rounded(cloudSizes([1000, 100, 10]))).toEqual([0, 0.5, 1]);
    expect(Array.from(cloudSizes([7, 7, 7]))).toEqual([0, 0, 0]);
  });

  test('balanced softmax: equal logits have the shares of the classes', () => {
    const { loss } = lossOf([balancedSoftmax()], { classCounts: [60, 30, 10], logits: [5, 5, 5], labels: [2] });
    expect(loss).toBeCloseTo(-Math.log(0.1), 5);
  });

  test('logit adjustment, tau 2: shares go by their squares', () => {
    const samples = { classCounts: [60, 30, 10], logits: [0, 0, 0], labels: [1] };
    expect(lossOf([logitAdjustment({ tau: 2 })], samples).loss).toBeCloseTo(-Math.log(900 / 4600), 6);
  });

  test('cdt: a rare class’s logit counts half', () => {
    const samples = { classCounts: [400, 100], logits: [0, 2], labels: [1] };
    expect(lossOf([cdt({ gamma: 0.5 })], samples).loss).toBeCloseTo(Math.log(1 + Math.exp(-1)), 6);
  });
});

describe('properties', () => {
  const logits = fc.array(fc.double({ min: -8, max: 8, noNaN: true }), { minLength: 6, maxLength: 6 });
  const counts = fc.array(fc.integer({ min: 1, max: 5000 }), { minLength: 3, maxLength: 3 });
  const power = fc.double({ min: 0, max: 1.5, noNaN: true });
  const same = (a: Plugin[], b: Plugin[], classCounts: number[], values: number[]): void => {
    const samples = { classCounts, logits: values, labels: [0, 2] };
    const [x, y] = [lossOf(a, samples), lossOf(b, samples)];
    expect(Math.abs(x.loss - y.loss)).toBeLessThan(1e-5 * (1 + y.loss));
    x.gradient.forEach((slope, i) => {
      expect(slope).toBeCloseTo(y.gradient[i]!, 5);
    });
  };
  const numRuns = 15;

  test('balanced softmax is logit adjustment with tau 1; vs without gamma is logit adjustment, without tau cdt', () => {
    fc.assert(
      fc.property(counts, logits, power, (n, values, x) => {
        same([balancedSoftmax()], [logitAdjustment({ tau: 1 })], n, values);
        same([vs({ gamma: 0, tau: x })], [logitAdjustment({ tau: x })], n, values);
        same([vs({ gamma: x, tau: 0 })], [cdt({ gamma: x })], n, values);
      }),
      { numRuns },
    );
  });

  test('equal counts or factors of 0 are cross-entropy', () => {
    fc.assert(
      fc.property(counts, logits, fc.integer({ min: 1, max: 5000 }), (n, values, equal) => {
        for (const plugin of [balancedSoftmax(), logitAdjustment(), cdt(), vs()]) {
          same([plugin], [], [equal, equal, equal], values);
        }
        for (const plugin of [logitAdjustment({ tau: 0 }), cdt({ gamma: 0 }), vs({ gamma: 0, tau: 0 })]) {
          same([plugin], [], n, values);
        }
      }),
      { numRuns },
    );
  });
});

describe('post-hoc logit adjustment', () => {
  test('subtracts tau log pi from the predicted logits and leaves the loss alone', () => {
    const { hooks } = compose([logitAdjustment({ mode: 'post-hoc', tau: 2 })], infoWithCounts([60, 30, 10]));
    expect(hooks.buildLoss.taps).toEqual([]);
    const predict = hooks.buildPrediction.call(() => tf.tensor2d([[1, 1, 1]]));
    const pass = { training: false, inputs: {}, variants: {}, atStage: (_: string, x: tf.Tensor) => x };
    const adjusted = predict({}, {}, tf.zeros([1, 1, 1, 1]) as tf.Tensor4D, pass).dataSync();
    [0.6, 0.3, 0.1].forEach((share, c) => {
      expect(adjusted[c]).toBeCloseTo(1 - 2 * Math.log(share), 5);
    });
  });

  test('trains as a run without it does, and predicts rare classes more often', async () => {
    const run = (plugins: Plugin[]) =>
      createTrainer({
        data: squares(),
        model: tinyModel(),
        plugins,
        train: { epochs: 2, batchSize: 16, optimizer: { name: 'sgd', learningRate: 0.05 } },
      }).run();
    const [plain, adjusted] = [await run([]), await run([logitAdjustment({ mode: 'post-hoc', tau: 100 })])];
    expect(adjusted.snapshot!.state).toEqual(plain.snapshot!.state);
    const predictedLast = ({ summary }: typeof plain) =>
      summary.last!.confusion!.reduce((sum, row) => sum + row.at(-1)!, 0);
    expect(predictedLast(adjusted)).toBe(20);
    expect(predictedLast(plain)).toBeLessThan(20);
  });
});

describe('the noise of gcl', () => {
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
