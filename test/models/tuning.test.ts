import { describe, expect, test } from 'vitest';
import adaptformer, { bottleneck } from '../../plugins/adaptformer/index.ts';
import bitfit from '../../plugins/bitfit/index.ts';
import layerNormTuning from '../../plugins/layer-norm-tuning/index.ts';
import lora from '../../plugins/lora/index.ts';
import ssf from '../../plugins/ssf/index.ts';
import vpt, { withoutPrompts, withPrompts } from '../../plugins/vpt/index.ts';
import { loadBackend } from '../../src/backend/load.ts';
import { compose } from '../../src/compose/compose.ts';
import { declaredTrained, extendModel } from '../../src/compose/declared.ts';
import { createModel, modelOptions } from '../../src/models/index.ts';
import { frozenWeights } from '../../src/models/transfer.ts';
import type { Model } from '../../src/models/types.ts';
import type { Plugin } from '../../src/plugin.ts';
import { randomStream } from '../../src/random.ts';
import { createBatch, createTargets } from '../../src/step/batch.ts';
import { trainFeeds } from '../../src/step/inputs.ts';
import { createOptimizer } from '../../src/step/optimizers.ts';
import { optimizerOptions } from '../../src/step/options.ts';
import { createStepProgram } from '../../src/step/program.ts';
import { signatureFor } from '../../src/step/signature.ts';
import { type NamedTensors, tf } from '../../src/tf.ts';
import { planRun } from '../../src/train/plan-run.ts';
import { sizeOf } from '../../src/util/shape.ts';
import { bothEngines, describeNative } from '../step/captured-support.ts';
import { messageOfError } from '../support/message.ts';
import { infoWithCounts } from '../support/plugins.ts';
import { squares, tinyModel } from '../support/squares.ts';
import { noise, readReference } from './reference.ts';

interface Reference {
  steps: number;
  labels: number[];
  classes: number;
  width: number;
  depth: number;
  rank: number;
  optimizer: { learningRate: number; momentum: number; weightDecay: number };
  mean: number;
  std: number;
  cases: { method: string; losses: number[]; weights: Record<string, number[]> }[];
}

const reference = readReference<Reference>('tuning.json');
const imageShape = [32, 32, 3] as const;
const { classes, width, depth, rank, labels } = reference;
const task = { classes, imageShape };
const base = createModel(modelOptions.parse({ name: 'vit-tiny-16', width, depth }), task);
const size = labels.length;

const pluginOf: Record<string, Plugin | null> = {
  full: null,
  adaptformer: adaptformer({ dimension: rank }),
  lora: lora({ rank }),
  bitfit: bitfit(),
};

/** The script's first values. */
const firstOf = (name: string, length: number): Float32Array =>
  noise(name, length).map((value) => (name.endsWith('/scale') ? 1 : 0) + value / 4);

const tuned = (plugins: readonly Plugin[]) => {
  const model = plugins.reduce((before, plugin) => extendModel(before, plugin, task), base);
  const start = { freeze: [], frozenNorm: 'batch' } as const;
  return { model, ...frozenWeights({ base, model }, start, declaredTrained(plugins, base)) };
};

const trainedOf = (plugins: readonly Plugin[]): string[] => {
  const { model, frozen } = tuned(plugins);
  return model.weights.map(({ name }) => name).filter((name) => !frozen.has(name));
};

describeNative('ten steps as in PyTorch', (use) => {
  test.each(reference.cases)('$method', ({ method, losses, weights }) => {
    const plugins = [pluginOf[method]!].filter((plugin) => plugin !== null);
    const { model, frozen, fixed } = tuned(plugins);
    const { mean, std, optimizer } = reference;
    const program = createStepProgram(model, compose(plugins, infoWithCounts(Array(classes).fill(1))), {
      seed: 0,
      imageShape,
      mean: [mean, mean, mean],
      std: [std, std, std],
      batchSizes: [size],
      evaluateBatchSize: size,
      optimizer: createOptimizer(optimizerOptions.parse({ name: 'sgd', ...optimizer })),
      initial: Object.fromEntries(model.weights.map(({ name, shape }) => [name, firstOf(name, sizeOf(shape))])),
      frozen,
      fixed,
    });
    expect(program.trained.toSorted()).toEqual(Object.keys(weights).sort());
    const batch = createBatch(
      { size, indices: Int32Array.from(labels, (_, i) => i), labels: Int32Array.from(labels), draws: {} },
      {},
    );
    const images = Uint8Array.from(noise('images', size * sizeOf(imageShape)), (x) => Math.floor((x + 1) * 128));
    const feeds = trainFeeds({
      batch,
      targets: createTargets(batch),
      images,
      imageShape,
      classWeights: new Float64Array(classes).fill(1),
      learningRate: optimizer.learningRate,
      reduction: 'mean',
    });
    const engines = bothEngines(program, use());
    const train = signatureFor(program, 'train', {}, size);
    for (const loss of losses) {
      const { eager, captured } = engines.run(train, feeds);
      expect(Math.abs(eager.loss![0]! - loss)).toBeLessThan(1e-4);
      expect(Math.abs(captured.loss![0]! - loss)).toBeLessThan(1e-4);
    }
    for (const engine of [engines.eager, engines.captured]) {
      for (const [name, values] of Object.entries(engine.read(Object.keys(weights)))) {
        const probe = noise(`probe/${name}`, values.length);
        const found = [
          Math.hypot(...values),
          values.reduce((sum, value, i) => sum + value * probe[i]!, 0),
          ...values.slice(0, 3),
        ];
        weights[name]!.forEach((value, i) => {
          expect(Math.abs(found[i]! - value), name).toBeLessThan(1e-4 * Math.max(1, Math.abs(value)));
        });
      }
    }
    engines.dispose();
  });
});

const methods: [name: string, plugin: Plugin][] = [
  ['adaptformer', adaptformer()],
  ['lora', lora()],
  ['bitfit', bitfit()],
  ['layer-norm-tuning', layerNormTuning()],
];

describeNative('before the first step', () => {
  const weightsOf = (model: Model): NamedTensors =>
    Object.fromEntries(
      model.weights.map(({ name, shape, initial }) => [
        name,
        tf.tensor(initial(randomStream(0, 'init', name)), [...shape]),
      ]),
    );
  const logitsOf = (model: Model): Float32Array =>
    tf.tidy(() => {
      const pass = { training: false, inputs: {}, variants: {}, atStage: (_: string, x: tf.Tensor) => x };
      return model.forward(weightsOf(model), tf.ones([2, ...imageShape]), pass).logits.dataSync() as Float32Array;
    });

  test.each(methods)('the network with %s is as without', (_, plugin) => {
    expect(logitsOf(tuned([plugin]).model)).toEqual(logitsOf(base));
  });

  test.each([
    ['ssf', ssf()],
    ['vpt', vpt()],
    ['vpt', vpt({ kind: 'shallow' })],
  ])('that with %s gives other logits', (_, plugin) => {
    expect(logitsOf(tuned([plugin]).model)).not.toEqual(logitsOf(base));
  });
});

describe('what is trained', () => {
  const head = ['classifier/kernel', 'classifier/bias'];

  test('by LoRA: two matrices at each query and value, and the classifier', () => {
    const { model } = tuned([lora({ rank: 3 })]);
    expect(trainedOf([lora()])).toEqual([
      ...head,
      'lora/block1/attention/query/a',
      'lora/block1/attention/query/b',
      'lora/block1/attention/value/a',
      'lora/block1/attention/value/b',
      'lora/block2/attention/query/a',
      'lora/block2/attention/query/b',
      'lora/block2/attention/value/a',
      'lora/block2/attention/value/b',
    ]);
    expect(model.weights.slice(-2).map(({ shape }) => shape)).toEqual([
      [width, 3],
      [3, width],
    ]);
  });

  test('by BitFit: biases and shifts in blocks; by layer norm tuning: scales and shifts of all norms', () => {
    const inBlock = (name: string) => name.startsWith('block1/');
    expect(trainedOf([bitfit()]).filter(inBlock)).toEqual([
      'block1/norm1/shift',
      'block1/attention/query/bias',
      'block1/attention/key/bias',
      'block1/attention/value/bias',
      'block1/attention/project/bias',
      'block1/norm2/shift',
      'block1/mlp/expand/bias',
      'block1/mlp/project/bias',
    ]);
    expect(trainedOf([layerNormTuning()])).toEqual([
      ...['block1/norm1', 'block1/norm2', 'block2/norm1', 'block2/norm2', 'norm'].flatMap((norm) => [
        `${norm}/scale`,
        `${norm}/shift`,
      ]),
      ...head,
    ]);
  });

  test('by two of them: what either trains', () => {
    const both = trainedOf([lora(), layerNormTuning()]);
    expect(both.sort()).toEqual([...new Set([...trainedOf([lora()]), ...trainedOf([layerNormTuning()])])].sort());
  });

  test('by VPT: prompts of each block, or of the first', () => {
    const prompts = (plugin: Plugin) => trainedOf([plugin]).filter((name) => name.startsWith('vpt/'));
    expect(prompts(vpt())).toEqual(['vpt/block1/prompts', 'vpt/block2/prompts']);
    expect(prompts(vpt({ kind: 'shallow' }))).toEqual(['vpt/block1/prompts']);
    const [spec] = tuned([vpt({ tokens: 50 })]).model.weights.slice(-1);
    const drawn = spec!.initial(randomStream(0, 'prompts'));
    const bound = Math.sqrt(6 / (16 * 16 * 3 + width));
    expect(Math.max(...drawn)).toBeLessThan(bound);
    expect(Math.max(...drawn)).toBeGreaterThan(0.95 * bound);
  });

  test('is in the plan', async () => {
    const { plan } = await planRun({
      data: squares([4, 3, 2, 1], 32),
      model: { name: 'vit-tiny-16', width, depth },
      plugins: [lora({ rank: 2 })],
    });
    const trained = 2 * 2 * 2 * 2 * width + width * 4 + 4;
    expect(plan).toMatch(
      new RegExp(`^trained {17}${trained} of \\d+ parameters; the rest of the backbone is frozen$`, 'm'),
    );
  });
});

test('LIFT’s rule: bottlenecks of 4, 32 and 256 for 100, 1000 and 8142 classes and 12 layers', () => {
  expect([100, 1000, 8142, 2].map((count) => bottleneck(count, 12))).toEqual([4, 32, 256, 1]);
});

test('prompts stand after the first token, and are dropped again', async () => {
  await loadBackend('wasm');
  const x = tf.tensor3d([
    [[1], [2], [3]],
    [[4], [5], [6]],
  ]);
  const y = withPrompts(x, tf.tensor3d([[[8], [9]]]));
  expect(y.arraySync()).toEqual([
    [[1], [8], [9], [2], [3]],
    [[4], [8], [9], [5], [6]],
  ]);
  expect(withoutPrompts(y, 2).arraySync()).toEqual(x.arraySync());
});

describe('a network without the parts', () => {
  const plan = (plugin: Plugin) =>
    messageOfError(() => planRun({ data: squares(), model: tinyModel(), plugins: [plugin] }));

  test.each([
    [
      adaptformer(),
      '[adaptformer] extendModel: model tiny: expected a seam "block*/mlp", a part that plugins may wrap; it has no seams. Set the plugin\'s option that names them, or choose another model.',
    ],
    [
      bitfit(),
      'bitfit: expected a model with biases in blocks; tiny has none that are named so. Choose another model or plugin.',
    ],
    [
      layerNormTuning(),
      'layer-norm-tuning: expected a model with norms; tiny has none that are named so. Choose another model or plugin.',
    ],
  ])('is refused', async (plugin, message) => {
    expect(await plan(plugin)).toBe(message);
  });
});
