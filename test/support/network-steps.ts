import { compose } from '../../src/compose/compose.ts';
import type { GraphProgram, OpenGraph } from '../../src/graph/index.ts';
import { createModel, type ModelName, modelOptions } from '../../src/models/index.ts';
import type { Plugin } from '../../src/plugin.ts';
import { randomStream } from '../../src/random.ts';
import { trainFeeds } from '../../src/step/inputs.ts';
import { createOptimizer } from '../../src/step/optimizers.ts';
import { createStepProgram, type ProgramOptions } from '../../src/step/program.ts';
import { signatureFor } from '../../src/step/signature.ts';
import type { Float64Program } from './float64.ts';
import { at, infoWithCounts, mixBatch } from './plugins.ts';

const SIZE = 12;
const IMAGE: [number, number, number] = [16, 16, 3];
const PIXELS = 16 * 16 * 3;
const CLASSES = 3;

/** Training of a network: 12 images of noise a step. */
export interface NetworkSteps {
  model: ModelName;
  plugins?: () => Plugin[];
  steps: number;
  learningRate?: number;
  /** Of the images. Default 0. */
  seed?: number;
}

/** Its program, and its calls with what they are fed. */
function networkSteps(
  { model: name, plugins = () => [], steps, learningRate = 0.05, seed = 0 }: NetworkSteps,
  options: Partial<ProgramOptions>,
) {
  const composition = compose(
    plugins(),
    infoWithCounts([10, 6, 4], { epochs: 4, stepsPerEpoch: steps, featureSize: 64 }),
  );
  const model = createModel(modelOptions.parse({ name, width: 16 }), { classes: CLASSES, imageShape: IMAGE });
  const program = createStepProgram(model, composition, {
    seed: 0,
    imageShape: IMAGE,
    mean: [0.4, 0.5, 0.6],
    std: [0.2, 0.3, 0.25],
    batchSizes: [SIZE],
    evaluateBatchSize: SIZE,
    optimizer: createOptimizer({ name: 'sgd', learningRate: 0.1, momentum: 0.9, nesterov: false, weightDecay: 0.001 }),
    ...options,
  });
  const calls = Array.from({ length: steps }, (_, i) => {
    const labels = Int32Array.from({ length: SIZE }, (_, row) => (row * (i + 1) + i) % CLASSES);
    // Partners are those of three replicas, however many there are.
    const { batch, targets } = mixBatch(composition, labels, at(1, i + 1, i + 1), 3);
    const random = randomStream('images', seed, i);
    const images = Uint8Array.from({ length: SIZE * PIXELS }, () => random.integer(256));
    const classWeights = Float64Array.of(0.5, 1, 2);
    const feeds = trainFeeds({
      ...{ batch, targets, images, imageShape: IMAGE, classWeights, learningRate },
      reduction: 'weighted-mean',
    });
    return [signatureFor(program, 'train', batch.variants, SIZE), feeds] as const;
  });
  return { program, calls, weights: model.weights.map((weight) => weight.name) };
}

/** Losses and state after training. */
export interface TrainedNetwork {
  losses: readonly number[];
  weights: readonly ArrayLike<number>[];
}

/** Trains with what `open` gives, which is disposed. */
export function trained(
  given: NetworkSteps,
  options: Partial<ProgramOptions>,
  open: (program: GraphProgram) => Float64Program | Pick<OpenGraph, 'run' | 'read' | 'dispose'>,
): TrainedNetwork {
  const { program, calls, weights } = networkSteps(given, options);
  const engine = open(program);
  const losses = calls.map(([signature, feeds]) => engine.run(signature, feeds).loss![0]!);
  const state = engine.read();
  engine.dispose();
  return { losses, weights: weights.map((name) => state[name]!) };
}

/** The largest difference of loss, weights and statistics; relative where they are above 1. */
export function apart(a: TrainedNetwork, b: TrainedNetwork): number {
  let most = 0;
  const pairs = b.weights.map((values, k) => [a.weights[k]!, values] as const);
  for (const [one, other] of [[a.losses, b.losses] as const, ...pairs])
    for (let i = 0; i < other.length; i++)
      most = Math.max(most, Math.abs(one[i]! - other[i]!) / Math.max(1, Math.abs(other[i]!)));
  return most;
}
