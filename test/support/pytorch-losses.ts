import { beforeAll, describe, expect, test } from 'vitest';
import mixup from '../../plugins/mixup/index.ts';
import type { Backend } from '../../src/backend/load.ts';
import { compose } from '../../src/compose/compose.ts';
import { createModel, modelOptions } from '../../src/models/index.ts';
import type { Plugin, PluginFactory } from '../../src/plugin.ts';
import { trainFeeds } from '../../src/step/inputs.ts';
import { createOptimizer } from '../../src/step/optimizers.ts';
import { createStepProgram } from '../../src/step/program.ts';
import { signatureFor } from '../../src/step/signature.ts';
import { describeBackends } from '../backend/kernels/support.ts';
import reference from '../reference/losses.json' with { type: 'json' };
import { bothEngines, describeNative, relativeDistance } from '../step/captured-support.ts';
import { type GivenSamples, lossOf } from './given-logits.ts';
import { smallInfo } from './info.ts';
import { at, mixBatch } from './plugins.ts';

const { classCounts, labels, pair, labelWeight, classWeights } = reference;
const inputsOf = (name: string): Record<string, Float32Array> =>
  name === 'gcl' ? { 'gcl/noise': Float32Array.from(reference.noise) } : {};

type Case = (typeof reference.cases)[number];

const samplesOf = ({ plugin, logits, headScale }: Case, how: 'plain' | 'mean' | 'weighted-mean'): GivenSamples => ({
  classCounts,
  logits,
  labels,
  inputs: inputsOf(plugin),
  head: { kind: 'cosine', scale: headScale },
  ...(how === 'plain' ? {} : { mixed: { pair, labelWeight }, classWeights, reduction: how }),
});

/** Loss to six digits, gradient to 2e-6 of its length: float32 over sums of exponentials of up to ±30. */
function expectReference(result: ReturnType<typeof lossOf>, expected: Case['plain']): void {
  expect(Math.abs(result.loss / expected.loss - 1)).toBeLessThan(1e-6);
  expect(relativeDistance({ gradient: result.gradient }, { gradient: expected.gradient })).toBeLessThan(2e-6);
}

const size = 12;

/** Ten steps of a small cosine network, mixed up, by both engines. */
function tenSteps(plugin: Plugin, backend: Backend) {
  const model = createModel(modelOptions.parse({ name: 'mlp', width: 6, depth: 1, head: 'cosine', scale: 2 }), {
    classes: 4,
    imageShape: [4, 4, 3],
  });
  const composition = compose([mixup(), plugin], smallInfo({ head: model.head!, featureSize: model.featureSize }));
  const program = createStepProgram(model, composition, {
    seed: 3,
    imageShape: [4, 4, 3],
    mean: [0.5, 0.5, 0.5],
    std: [0.25, 0.25, 0.25],
    batchSizes: [size],
    evaluateBatchSize: size,
    optimizer: createOptimizer({ name: 'sgd', learningRate: 0.1, momentum: 0.9, nesterov: false, weightDecay: 2e-4 }),
  });
  const engines = bothEngines(program, backend);
  const distances: number[] = [];
  for (let step = 1; step <= 10; step++) {
    const { batch, targets } = mixBatch(
      composition,
      Int32Array.from({ length: size }, (_, i) => (i * step) % 4),
      at(1, step),
    );
    const images = Uint8Array.from({ length: size * 48 }, (_, i) => (i * 7919 + step * 31) % 256);
    const feeds = trainFeeds({
      batch,
      targets,
      images,
      imageShape: [4, 4, 3],
      classWeights: Float64Array.of(0.5, 1, 2, 3),
      learningRate: 0.1,
      reduction: 'weighted-mean',
    });
    const { eager, captured } = engines.run(signatureFor(program, 'train', batch.variants, size), feeds);
    distances.push(relativeDistance({ loss: captured.loss! }, { loss: eager.loss! }));
  }
  const states = relativeDistance(engines.captured.read(), engines.eager.read());
  const images = { images: new Uint8Array(size * 48).fill(100) };
  const logits = engines.run(signatureFor(program, 'predict', {}), images);
  const predicted = relativeDistance(logits.captured, logits.eager);
  engines.dispose();
  return { losses: Math.max(...distances), states, predicted };
}

/**
 * Tests of a plugin's loss: against PyTorch (test/reference/losses.py), plain and mixed, in both reductions; finite at
 * extreme logits; captured as eager.
 */
export function describeLoss(factory: PluginFactory): void {
  const cases = reference.cases.filter(({ plugin }) => plugin === factory.definition.name);
  if (cases.length === 0) throw new Error(`test/reference/losses.json has no case of ${factory.definition.name}`);
  const pluginOf = ({ options }: Pick<Case, 'options'>): Plugin => factory(options as never);

  describeBackends('loss against PyTorch (test/reference/losses.py)', (use) => {
    beforeAll(use);

    describe.each(cases.map((one) => ({ ...one, title: JSON.stringify(one.options) })))('$title', (one) => {
      test.each(['plain', 'weighted-mean', 'mean'] as const)('%s', (how) => {
        expectReference(lossOf([pluginOf(one)], samplesOf(one, how)), one[how]);
      });
    });

    test.each(cases)('$options: stays finite at logits of ±1e4', ({ plugin, options }) => {
      const logits = [1e4, -1e4, 0, -1e4, 1e4, 1e4, 0, -1e4, 1e4, -1e4, -1e4, -1e4, -1e4, 1e4, 0];
      const samples: GivenSamples = {
        classCounts,
        logits,
        labels: [0, 4, 3],
        mixed: { pair: [1, 2, 0], labelWeight: [0.25, 0.5, 1] },
        head: { kind: 'cosine', scale: 1 },
        inputs: plugin === 'gcl' ? { 'gcl/noise': new Float32Array(15).fill(0.5) } : {},
      };
      const { loss, gradient } = lossOf([pluginOf({ options })], samples);
      expect(Number.isFinite(loss)).toBe(true);
      expect(gradient.every(Number.isFinite)).toBe(true);
    });
  });

  describeNative('captured loss', (use) => {
    test('as eager over ten steps', () => {
      const { losses, states, predicted } = tenSteps(factory(), use());
      expect(losses).toBeLessThan(1e-5);
      expect(states).toBeLessThan(1e-5);
      expect(predicted).toBeLessThan(1e-5);
    });

    test.each(cases)('$options: as PyTorch', (one) => {
      expectReference(lossOf([pluginOf(one)], samplesOf(one, 'weighted-mean'), use()), one['weighted-mean']);
    });
  });
}
