import adaptformer from '../../plugins/adaptformer/index.ts';
import bitfit from '../../plugins/bitfit/index.ts';
import lora from '../../plugins/lora/index.ts';
import type { Backend } from '../../src/backend/load.ts';
import { compose } from '../../src/compose/compose.ts';
import { declaredTrained, extendModel } from '../../src/compose/declared.ts';
import { createModel, modelOptions } from '../../src/models/index.ts';
import { frozenWeights } from '../../src/models/transfer.ts';
import type { Model, Task } from '../../src/models/types.ts';
import type { Plugin } from '../../src/plugin.ts';
import { createBatch, createTargets } from '../../src/step/batch.ts';
import { trainFeeds } from '../../src/step/inputs.ts';
import { createOptimizer } from '../../src/step/optimizers.ts';
import { optimizerOptions } from '../../src/step/options.ts';
import { createStepProgram } from '../../src/step/program.ts';
import { signatureFor } from '../../src/step/signature.ts';
import { sizeOf } from '../../src/util/shape.ts';
import { bothEngines } from '../step/captured-support.ts';
import { infoWithCounts } from '../support/plugins.ts';
import { noise } from './reference.ts';

/** What test/reference/tuning.py writes. */
export interface TuningReference {
  steps: number;
  labels: number[];
  classes: number;
  width: number;
  depth: number;
  rank: number;
  optimizer: { learningRate: number; momentum: number; weightDecay: number };
  mean: number;
  std: number;
  cases: TuningCase[];
}

export interface TuningCase {
  method: string;
  losses: number[];
  /** Of each trained array its length, its product with noise, and its first values. */
  weights: Record<string, number[]>;
}

const imageShape = [32, 32, 3] as const;

/** The script's first values. */
const firstOf = (name: string, length: number, width: number): Float32Array => {
  const scale = name.endsWith('/kernel') ? Math.sqrt(12 / width) / 4 : 1 / 4;
  return noise(name, length).map((value) => (name.endsWith('/scale') ? 1 : 0) + value * scale);
};

/** A model with plugins, and which of its weights they train. */
export function tunedBy(plugins: readonly Plugin[], base: Model, task: Task) {
  const model = plugins.reduce((before, plugin) => extendModel(before, plugin, task), base);
  const start = { freeze: [], frozenNorm: 'batch' } as const;
  return { model, ...frozenWeights({ base, model }, start, declaredTrained(plugins, base)) };
}

/** Largest differences from the reference after its steps, of weights relative where they are above 1; eager and captured. */
export function differencesAfterSteps(
  reference: TuningReference,
  { method, losses, weights }: TuningCase,
  backend: Backend,
) {
  const { classes, width, depth, rank, labels, mean, std, optimizer } = reference;
  const task = { classes, imageShape };
  const base = createModel(modelOptions.parse({ name: 'vit-tiny-16', width, depth }), task);
  const size = labels.length;
  const pluginOf: Record<string, Plugin | null> = {
    full: null,
    adaptformer: adaptformer({ dimension: rank }),
    lora: lora({ rank }),
    bitfit: bitfit(),
  };
  const plugins = [pluginOf[method]!].filter((plugin) => plugin !== null);
  const { model, frozen, fixed } = tunedBy(plugins, base, task);
  const program = createStepProgram(model, compose(plugins, infoWithCounts(Array(classes).fill(1))), {
    seed: 0,
    imageShape,
    mean: [mean, mean, mean],
    std: [std, std, std],
    batchSizes: [size],
    evaluateBatchSize: size,
    optimizer: createOptimizer(optimizerOptions.parse({ name: 'sgd', ...optimizer })),
    initial: Object.fromEntries(model.weights.map(({ name, shape }) => [name, firstOf(name, sizeOf(shape), width)])),
    frozen,
    fixed,
  });
  const batch = createBatch(
    { size, indices: Int32Array.from(labels, (_, i) => i), labels: Int32Array.from(labels), groups: {} },
    {},
  );
  const feeds = trainFeeds({
    batch,
    targets: createTargets(batch),
    images: Uint8Array.from(noise('images', size * sizeOf(imageShape)), (x) => Math.floor((x + 1) * 128)),
    imageShape,
    classWeights: new Float64Array(classes).fill(1),
    learningRate: optimizer.learningRate,
    reduction: 'mean',
  });
  const engines = bothEngines(program, backend);
  const train = signatureFor(program, 'train', {}, size);
  const found = { eager: { losses: 0, weights: 0 }, captured: { losses: 0, weights: 0 } };
  for (const loss of losses) {
    const outputs = engines.run(train, feeds);
    for (const kind of ['eager', 'captured'] as const)
      found[kind].losses = Math.max(found[kind].losses, Math.abs(outputs[kind].loss![0]! - loss));
  }
  for (const kind of ['eager', 'captured'] as const) {
    for (const [name, values] of Object.entries(engines[kind].read(Object.keys(weights)))) {
      const probe = noise(`probe/${name}`, values.length);
      let [squares, product] = [0, 0];
      values.forEach((value, i) => {
        squares += value ** 2;
        product += value * probe[i]!;
      });
      const described = [Math.sqrt(squares), product, ...values.slice(0, 3)];
      weights[name]!.forEach((value, i) => {
        const far = Math.abs(described[i]! - value) / Math.max(1, Math.abs(value));
        found[kind].weights = Math.max(found[kind].weights, far);
      });
    }
  }
  engines.dispose();
  return { ...found, trained: program.trained };
}
