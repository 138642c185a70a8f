import { compose } from '../../src/compose/compose.ts';
import { createModel, type ModelName, modelOptions } from '../../src/models/index.ts';
import { initialOf } from '../../src/models/initial.ts';
import type { Plugin } from '../../src/plugin.ts';
import { randomStream } from '../../src/random.ts';
import { trainFeeds } from '../../src/step/inputs.ts';
import { createOptimizer } from '../../src/step/optimizers.ts';
import { createStepProgram, type ProgramOptions } from '../../src/step/program.ts';
import { signatureFor } from '../../src/step/signature.ts';
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

/** Its program, and its calls with what they are fed. */
export function networkSteps(
  { model: name, plugins = () => [], steps, learningRate = 0.05, reversed, moved }: NetworkSteps,
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
