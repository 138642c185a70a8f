import { z } from 'zod';
import { compose } from '../../src/compose/compose.ts';
import type { Model, Pass } from '../../src/models/types.ts';
import type { Plugin } from '../../src/plugin.ts';
import { randomStream } from '../../src/random.ts';
import { createBatch, createTargets } from '../../src/step/batch.ts';
import { createEagerEngine } from '../../src/step/eager.ts';
import { trainFeeds } from '../../src/step/inputs.ts';
import { createStepProgram, type ProgramOptions } from '../../src/step/program.ts';
import { signatureFor } from '../../src/step/signature.ts';
import type { Update } from '../../src/step/types.ts';
import type { tf } from '../../src/tf.ts';
import { infoWithCounts } from '../support/plugins.ts';

export const none = z.strictObject({});

export const KERNEL = 'classifier/kernel';

/** Two pixels, two classes, logits x·kernel + bias; the statistic counts steps. `seen` are the passes of the forward. */
export function model(seen: { pass: Pass; images: number[]; stages: number[][] }[] = []): Model {
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
export function update(
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

export const options = (changes: Partial<ProgramOptions> = {}): ProgramOptions => ({
  seed: 3,
  imageShape: [1, 1, 2],
  mean: [0.5, 0],
  std: [0.5, 2],
  batchSizes: [2],
  evaluateBatchSize: 4,
  optimizer: update(),
  ...changes,
});

export const pixels = Uint8Array.of(255, 0, 0, 255);
// (x/255 − mean) / std of the two images.
export const normalised = [1, 0, -1, 0.5];

/** A program, and a step over two images of classes 0 and 1. */
export function prepare(made: Model, plugins: readonly Plugin[] = [], changes: Partial<ProgramOptions> = {}) {
  const composition = compose(plugins, infoWithCounts([3, 2]));
  const program = createStepProgram(made, composition, options(changes));
  const engine = createEagerEngine(program);
  const extra = Object.keys(composition.groups).length;
  const labels = Int32Array.from({ length: 2 + 2 * extra }, (_, i) => i % 2);
  const batch = createBatch({ size: 2, indices: labels, labels, groups: {} }, composition.variants);
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

export const kernelOf = (seed: number): Float32Array => {
  const random = randomStream(seed, 'init', KERNEL);
  return Float32Array.from({ length: 4 }, () => random.normal());
};
