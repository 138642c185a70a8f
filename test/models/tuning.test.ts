import { describe, expect, test } from 'vitest';
import adaptformer, { bottleneck } from '../../plugins/adaptformer/index.ts';
import bitfit from '../../plugins/bitfit/index.ts';
import layerNormTuning from '../../plugins/layer-norm-tuning/index.ts';
import lora from '../../plugins/lora/index.ts';
import ssf from '../../plugins/ssf/index.ts';
import vpt, { withoutPrompts, withPrompts } from '../../plugins/vpt/index.ts';
import { loadBackend } from '../../src/backend/load.ts';
import { createModel, modelOptions } from '../../src/models/index.ts';
import type { Model } from '../../src/models/types.ts';
import type { Plugin } from '../../src/plugin.ts';
import { randomStream } from '../../src/random.ts';
import { type NamedTensors, tf } from '../../src/tf.ts';
import { planRun } from '../../src/train/plan-run.ts';
import { describeNative } from '../step/captured-support.ts';
import { messageOfError } from '../support/message.ts';
import { squares, tinyModel } from '../support/squares.ts';
import { readReference } from './reference.ts';
import { differencesAfterSteps, type TuningReference, tunedBy } from './tuning-steps.ts';

const reference = readReference<TuningReference>('tuning.json');
const imageShape = [32, 32, 3] as const;
const { classes, width, depth } = reference;
const task = { classes, imageShape };
const base = createModel(modelOptions.parse({ name: 'vit-tiny-16', width, depth }), task);
const tuned = (plugins: readonly Plugin[]) => tunedBy(plugins, base, task);

const trainedOf = (plugins: readonly Plugin[]): string[] => {
  const { model, frozen } = tuned(plugins);
  return model.weights.map(({ name }) => name).filter((name) => !frozen.has(name));
};

describeNative('ten steps as in PyTorch', (use) => {
  test.each(reference.cases)('$method', (one) => {
    const { eager, captured, trained } = differencesAfterSteps(reference, one, use());
    expect(trained.toSorted()).toEqual(Object.keys(one.weights).sort());
    for (const engine of [eager, captured]) {
      expect(engine.losses).toBeLessThan(1e-4);
      expect(engine.weights).toBeLessThan(1e-4);
    }
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
