import { compose } from '../../src/compose/compose.ts';
import { extendModel } from '../../src/compose/declared.ts';
import type { HostArray, Signature } from '../../src/graph/types.ts';
import type { Model } from '../../src/models/types.ts';
import type { Plugin } from '../../src/plugin.ts';
import { trainFeeds } from '../../src/step/inputs.ts';
import { createOptimizer } from '../../src/step/optimizers.ts';
import { createStepProgram } from '../../src/step/program.ts';
import { signatureFor } from '../../src/step/signature.ts';
import { tf } from '../../src/tf.ts';
import { sizeOf } from '../../src/util/shape.ts';
import { noise } from '../models/reference.ts';
import { at, infoWithCounts, mixBatch } from './plugins.ts';

const SIZE = 6;
const IMAGE: [number, number, number] = [2, 2, 3];
const SHAPES = { 'hidden/kernel': [12, 5], 'classifier/kernel': [5, 3], 'classifier/bias': [3] };

/** Pixels of a step of test/reference/optimisation.py. */
export const pixels = (step: number, size = SIZE): Uint8Array =>
  Uint8Array.from({ length: size * 12 }, (_, i) => (i * 7919 + step * 31) % 256);

/** The network of test/reference/optimisation.py. */
const twoLayers = (centred: boolean): Model => ({
  name: 'two-layers',
  stages: ['input'],
  featureSize: 5,
  weights: [
    ...Object.entries(SHAPES).map(([name, shape]) => ({
      name,
      shape,
      kind: 'kernel' as const,
      initial: () => noise(name, sizeOf(shape)),
    })),
    { name: 'hidden/mean', shape: [5], kind: 'statistic', initial: () => new Float32Array(5) },
  ],
  forward(weights, images, pass) {
    const x = pass.atStage('input', images);
    const hidden = tf.matMul(x.reshape([-1, 12]), weights['hidden/kernel']!);
    const [mean, before] = [hidden.mean(0), weights['hidden/mean']!];
    const features = (centred ? hidden.sub(pass.training ? mean : before) : hidden).relu();
    const logits = tf.matMul(features, weights['classifier/kernel']!).add(weights['classifier/bias']!);
    const { momentum: share = 0.1 } = pass;
    const statistics = centred && pass.training ? { 'hidden/mean': before.mul(1 - share).add(mean.mul(share)) } : {};
    return { logits: logits, features, statistics };
  },
});

/** Its step with plugins, and what `steps` steps are fed, one epoch if nothing else is said; the last has `lastSize` images. */
export function twoLayerSteps(
  plugins: readonly Plugin[],
  {
    centred = true,
    reduction = 'weighted-mean' as 'weighted-mean' | 'mean',
    steps = 4,
    lastSize = SIZE,
    replicas = 1,
    stepsPerEpoch: given = undefined as number | undefined,
    network = twoLayers(centred),
  } = {},
) {
  const stepsPerEpoch = given ?? steps;
  const composition = compose(plugins, infoWithCounts([10, 6, 4], { stepsPerEpoch, epochs: 4, featureSize: 5 }));
  const task = { classes: 3, imageShape: IMAGE };
  const model = plugins.reduce<Model>((before, plugin) => extendModel(before, plugin, task), network);
  const program = createStepProgram(model, composition, {
    seed: 0,
    imageShape: IMAGE,
    mean: [0, 0, 0],
    std: [1, 1, 1],
    batchSizes: [...new Set([SIZE, lastSize])],
    evaluateBatchSize: SIZE,
    replicas,
    optimizer: createOptimizer({ name: 'sgd', learningRate: 0.1, momentum: 0.9, nesterov: false, weightDecay: 0.01 }),
  });
  const calls = Array.from({ length: steps }, (_, i): [Signature, Record<string, HostArray>] => {
    const step = i + 1;
    const size = step === steps ? lastSize : SIZE;
    const pool = size * (1 + Object.keys(composition.groups).length);
    const labels = Int32Array.from({ length: pool }, (_, j) => (j + 2 * j * step) % 3);
    const { batch, targets } = mixBatch(
      composition,
      labels,
      at(Math.ceil(step / stepsPerEpoch), step, (i % stepsPerEpoch) + 1),
      replicas,
    );
    const feeds = trainFeeds({
      batch,
      targets,
      images: pixels(step, pool),
      imageShape: IMAGE,
      classWeights: Float64Array.of(0.5, 1, 2),
      learningRate: 0.1,
      reduction,
    });
    return [signatureFor(program, 'train', batch.variants, size), feeds];
  });
  return { program, calls, predict: signatureFor(program, 'predict', {}) };
}
