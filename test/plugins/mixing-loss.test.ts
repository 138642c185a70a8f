import { beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { registry } from '../../plugins/index.ts';
import { loadBackend } from '../../src/backend/load.ts';
import { compose } from '../../src/compose/compose.ts';
import type { Model, WeightSpec } from '../../src/models/types.ts';
import { definePlugin, Order, type Plugin } from '../../src/plugin.ts';
import { createBatch, createTargets } from '../../src/step/batch.ts';
import { createEagerEngine } from '../../src/step/eager.ts';
import { trainFeeds } from '../../src/step/inputs.ts';
import { createOptimizer } from '../../src/step/optimizers.ts';
import { createStepProgram } from '../../src/step/program.ts';
import { signatureFor } from '../../src/step/signature.ts';
import type { Engine } from '../../src/step/types.ts';
import { tf } from '../../src/tf.ts';
import reference from '../reference/mixing-loss.json' with { type: 'json' };
import { bothEngines, describeNative, relativeDistance } from '../step/captured-support.ts';
import { at, infoWithCounts } from '../support/plugins.ts';

type Case = (typeof reference.cases)[number];

/** The script's network, with its weights. */
const model: Model = {
  name: 'two-layers',
  stages: ['input', 'stage1', 'stage2'],
  featureSize: 4,
  weights: Object.entries(reference.weights).map(
    ([name, { shape, values }]): WeightSpec => ({
      name,
      shape,
      kind: 'kernel',
      initial: () => Float32Array.from(values),
    }),
  ),
  forward(weights, images, pass) {
    const x = pass.atStage('input', images);
    const layer = (stage: string, before: tf.Tensor, name: string): tf.Tensor =>
      pass.atStage(stage, tf.matMul(before, weights[`${name}/kernel`]!).tanh());
    const features = layer('stage2', layer('stage1', x.reshape([x.shape[0]!, -1]), 'layer1'), 'layer2');
    const logits = tf.matMul(features, weights['classifier/kernel']!).add(weights['classifier/bias']!);
    return { logits, features, statistics: {} };
  },
};

/** Options that the script's rules have, where they are not the defaults. */
function optionsOf(name: string, { smoothing, eta }: Case): Record<string, unknown> {
  if (name === 'cmo') return { probability: 1, skipFirst: 0, skipLast: 0 };
  if (name === 'label-smoothing') return { epsilon: smoothing!.epsilon };
  if (name === 'regmixup') return { weight: eta };
  if (name === 'label-aware-smoothing') return { head: smoothing!.head, tail: smoothing!.tail };
  return {};
}

/** Puts the script's pair, lambda, box and stage in the place of those that were drawn. */
const given = ({ pair, lambda, box, stage }: Case): Plugin =>
  definePlugin({
    name: 'given',
    options: z.strictObject({}),
    apply({ hooks }) {
      hooks.onBatch.tap({ name: 'given', stage: Order.Observe }, (batch) => ({
        ...batch,
        pair: Int32Array.from(pair),
        lambda: Float32Array.from(lambda),
        box,
        variants: stage === null ? {} : { mix: box ? `${stage}:box` : stage },
      }));
    },
  })();

/** What one step of plain SGD with learning rate 1 is given and should come to. */
async function prepare(example: Case) {
  const plugins = await Promise.all(
    example.plugins.map(async (name) => (await registry[name]!()).default(optionsOf(name, example) as never)),
  );
  const imageShape = reference.imageShape as [number, number, number];
  const info = infoWithCounts(reference.classCounts, { imageShape, modelStages: model.stages, featureSize: 4 });
  const composition = compose([...plugins, given(example)], info);
  const pool = 6 * (1 + Object.keys(composition.groups).length);
  const groups = Object.fromEntries(Object.keys(composition.groups).map((name) => [name, { start: 6, size: 6 }]));
  const labels = Int32Array.from(reference.labels.slice(0, pool));
  const rows = { size: 6, indices: labels.map((_, i) => i), labels, groups };
  const weights = Float64Array.from(example.weighted ? reference.classWeights : [1, 1, 1]);
  const classWeights = composition.hooks.computeClassWeights.call(weights, at(1));
  const batch = composition.hooks.onBatch.call(createBatch(rows, composition.variants), at(1));
  const targets = composition.hooks.computeTargets.call(createTargets(batch), at(1));
  const program = createStepProgram(model, composition, {
    seed: 0,
    imageShape,
    mean: [reference.mean],
    std: [reference.std],
    batchSizes: [6],
    evaluateBatchSize: 6,
    optimizer: createOptimizer({ name: 'sgd', learningRate: 1, momentum: 0, nesterov: false, weightDecay: 0 }),
  });
  const feeds = trainFeeds({
    batch,
    targets,
    images: Uint8Array.from(reference.images.slice(0, pool * 24)),
    imageShape,
    classWeights,
    learningRate: 1,
    reduction: example.reduction as 'mean' | 'weighted-mean',
  });
  const call = signatureFor(program, 'train', batch.variants, 6);
  return { program, targets, step: (engine: Engine) => engine.run(call, feeds) };
}

const cases = reference.cases.map((example) => [example.name, example] as const);

describe('one step against PyTorch (test/reference/mixing-loss.py)', () => {
  beforeAll(async () => {
    await loadBackend();
  });

  test.each(cases)('%s: label weights, loss and gradients', async (_, example) => {
    const { program, targets, step } = await prepare(example);
    example.labelWeight.forEach((weight, i) => {
      expect(targets.labelWeight[i]).toBeCloseTo(weight, 6);
    });
    const engine = createEagerEngine(program);
    const before = engine.read();
    const { loss } = step(engine);
    const after = engine.read();
    engine.dispose();
    expect(loss![0]).toBeCloseTo(example.loss, 5);
    for (const [name, gradient] of Object.entries(example.gradients)) {
      const largest = Math.max(...gradient.map(Math.abs));
      expect(largest).toBeGreaterThan(0.01);
      gradient.forEach((expected, i) => {
        expect(Math.abs(before[name]![i]! - after[name]![i]! - expected)).toBeLessThan(2e-5 * Math.max(largest, 0.1));
      });
    }
  });
});

describeNative('captured = eager', (use) => {
  // TensorFlow fuses and folds in a graph, which moves last bits.
  test.each(cases)('%s', async (_, example) => {
    const { program, step } = await prepare(example);
    const engines = bothEngines(program, use());
    for (let i = 0; i < 2; i++) {
      const [captured, eager] = [step(engines.captured), step(engines.eager)];
      expect(captured.loss![0]).toBeCloseTo(eager.loss![0]!, 6);
      expect(captured.predictions).toEqual(eager.predictions);
      expect(relativeDistance(engines.captured.read(), engines.eager.read())).toBeLessThan(1e-6);
    }
    engines.dispose();
  });
});
