import { expect, test } from 'vitest';
import mixup from '../../plugins/mixup/index.ts';
import remix from '../../plugins/remix/index.ts';
import sam from '../../plugins/sam/index.ts';
import { compose } from '../../src/compose/compose.ts';
import type { GraphProgram } from '../../src/graph/index.ts';
import { createModel, type ModelName, modelOptions } from '../../src/models/index.ts';
import { initialOf } from '../../src/models/initial.ts';

import type { Plugin } from '../../src/plugin.ts';
import { randomStream } from '../../src/random.ts';
import { createCapturedEngine } from '../../src/step/captured/engine.ts';
import { createEngine } from '../../src/step/index.ts';
import { trainFeeds } from '../../src/step/inputs.ts';
import { createOptimizer } from '../../src/step/optimizers.ts';
import { createStepProgram, type ProgramOptions } from '../../src/step/program.ts';
import { signatureFor } from '../../src/step/signature.ts';
import { at, infoWithCounts, mixBatch } from '../support/plugins.ts';
import { describeNative } from './captured-support.ts';

const SIZE = 12;
const IMAGE: [number, number, number] = [16, 16, 3];
const PIXELS = 16 * 16 * 3;
const CLASSES = 3;

interface Steps {
  model: ModelName;
  plugins?: () => Plugin[];
  steps: number;
  learningRate?: number;
  /** Rows of each batch the other way round: the same step but for rounding. */
  reversed?: boolean;
  /** Each initial weight moved to the next float32, away from zero. */
  moved?: boolean;
}

/** The next float32 away from zero; 0 stays. */
function nextAway(values: Float32Array): Float32Array {
  const bits = new Int32Array(values.slice().buffer);
  return new Float32Array(bits.map((one, i) => (values[i] === 0 ? one : one + 1)).buffer);
}

function stepsOf(
  { model: name, plugins = () => [], steps, learningRate = 0.05, reversed, moved }: Steps,
  options: Partial<ProgramOptions>,
) {
  const composition = compose(
    plugins(),
    infoWithCounts([10, 6, 4], { epochs: 4, stepsPerEpoch: steps, featureSize: 64 }),
  );
  const model = createModel(modelOptions.parse({ name, width: 16 }), { classes: CLASSES, imageShape: IMAGE });
  const drawn = initialOf(model.weights, undefined, 0);
  const program = createStepProgram(model, composition, {
    seed: 0,
    imageShape: IMAGE,
    mean: [0.4, 0.5, 0.6],
    std: [0.2, 0.3, 0.25],
    batchSizes: [SIZE],
    evaluateBatchSize: SIZE,
    optimizer: createOptimizer({ name: 'sgd', learningRate: 0.1, momentum: 0.9, nesterov: false, weightDecay: 0.001 }),
    ...options,
    ...(moved && {
      initial: Object.fromEntries(model.weights.map((weight) => [weight.name, nextAway(drawn(weight))])),
    }),
  });
  const calls = Array.from({ length: steps }, (_, i) => {
    const place = (row: number): number => (reversed ? SIZE - 1 - row : row);
    const labels = Int32Array.from({ length: SIZE }, (_, row) => (place(row) * (i + 1) + i) % CLASSES);
    // Partners are those of three replicas, however many there are.
    const { batch, targets } = mixBatch(composition, labels, at(1, i + 1, i + 1), 3);
    const random = randomStream('images', i);
    const drawn = Uint8Array.from({ length: SIZE * PIXELS }, () => random.integer(256));
    const images = drawn.map((_, j) => drawn[place(Math.floor(j / PIXELS)) * PIXELS + (j % PIXELS)]!);
    const classWeights = Float64Array.of(0.5, 1, 2);
    const feeds = trainFeeds({
      ...{ batch, targets, images, imageShape: IMAGE, classWeights, learningRate },
      reduction: 'weighted-mean',
    });
    return [signatureFor(program, 'train', batch.variants, SIZE), feeds] as const;
  });
  return { program, calls, weights: model.weights.map((weight) => weight.name) };
}

describeNative('batch norm that replicas share', (use) => {
  function run(steps: Steps, options: Partial<ProgramOptions>) {
    const { program, calls, weights } = stepsOf(steps, options);
    const engine = createCapturedEngine(program, use());
    const losses = calls.map(([signature, feeds]) => engine.run(signature, feeds).loss![0]!);
    const state = engine.read();
    engine.dispose();
    return { losses, weights: weights.map((name) => state[name]!) };
  }

  /** Of loss, weights and statistics; relative where they are above 1. */
  function apart(a: ReturnType<typeof run>, b: ReturnType<typeof run>): number {
    let most = 0;
    const pairs = a.weights.map((values, k) => [values, b.weights[k]!] as const);
    for (const [one, other] of [[a.losses, b.losses] as const, ...pairs])
      for (let i = 0; i < one.length; i++)
        most = Math.max(most, Math.abs(one[i]! - other[i]!) / Math.max(1, Math.abs(other[i]!)));
    return most;
  }

  const synced = { replicas: 3, batchNorm: 'synced' } as const;

  test.each<[string, Omit<Steps, 'steps'>]>([
    ['small-cnn', { model: 'small-cnn' }],
    ['small-cnn, Remix', { model: 'small-cnn', plugins: () => [mixup({ alpha: 1 }), remix()] }],
    ['resnet32', { model: 'resnet32', learningRate: 0.001 }],
  ])('is training on the whole batch: %s', (_, given) => {
    const { model } = given;
    for (const [steps, limit] of [
      [1, 1e-6],
      [10, 1e-4],
    ] as const) {
      const whole = run({ ...given, steps }, {});
      const shared = apart(run({ ...given, steps }, synced), whole);
      const alone = apart(run({ ...given, steps }, { replicas: 3 }), whole);
      // What rounding alone makes of the same step: rows the other way round, and weights moved by their last bit.
      const reversed = apart(run({ ...given, steps, reversed: true }, {}), whole);
      const moved = apart(run({ ...given, steps, moved: true }, {}), whole);
      expect(shared).toBeLessThan(model === 'resnet32' ? Math.max(limit, 2 * Math.max(reversed, moved)) : limit);
      expect(alone).toBeGreaterThan(50 * shared);
    }
  });

  test('a plugin that computes gradients twice', () => {
    const { losses } = run({ model: 'small-cnn', plugins: () => [sam({ rho: 0.05 })], steps: 3 }, synced);
    expect(losses.every(Number.isFinite)).toBe(true);
  });

  test('an eager step refuses it', async () => {
    const program = {} as GraphProgram;
    const made = createEngine(program, use(), { step: 'eager', precision: 'fp32', synced: true });
    await expect(made).rejects.toThrowErrorMatchingInlineSnapshot(
      `[TailmixError: train.batchNorm: expected perReplica where a step is not captured; got synced, with train.step: eager on the native backend. Use the native backend with train.step: captured or auto.]`,
    );
  });
});
