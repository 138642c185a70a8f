import { appendFile, rm, truncate } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { defaults, registry } from '../../plugins/index.ts';
import { loadBackend } from '../../src/backend/load.ts';
import { whyNotNative } from '../../src/backend/native.ts';
import { resolveConfig } from '../../src/config/resolve.ts';
import { trainerOptions } from '../../src/config/trainer-options.ts';
import { layersModel, openModel } from '../../src/models/open.ts';
import type { Model, Pass } from '../../src/models/types.ts';
import { randomStream } from '../../src/random.ts';
import type { Snapshot } from '../../src/run.ts';
import { tf } from '../../src/tf.ts';
import { createTrainer, type RunResult, type TrainerOptions } from '../../src/train/trainer.ts';
import { relativeDistance } from '../backend/kernels/support.ts';
import { squares } from '../support/squares.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { graphWeights, saveGraph } from './graph.ts';
import { mobileNet, saveModel } from './mobile.ts';

const missing = whyNotNative('native');
if (missing !== null) console.warn(`SKIPPED: transfer learning on the native backend, ${missing}`);

const train = (
  model: TrainerOptions['model'],
  step: 'eager' | 'captured',
  options: Partial<TrainerOptions> = {},
): Promise<RunResult> =>
  createTrainer({
    data: squares(),
    model,
    backend: 'native',
    ...options,
    train: { epochs: 3, batchSize: 16, step, optimizer: { name: 'adamw', learningRate: 0.02 }, ...options.train },
  }).run();

const farthest = (a: Snapshot, b: Snapshot): number =>
  Math.max(
    ...Object.entries(a.state).flatMap(([name, { values }]) =>
      [...values].map((value, i) => Math.abs(value - b.state[name]!.values[i]!)),
    ),
  );
const valuesOf = ({ snapshot }: RunResult, name: string): number[] => [...snapshot!.state[name]!.values];

describe.skipIf(missing !== null)('transfer learning', () => {
  beforeAll(async () => void (await loadBackend('native')));

  test('a LayersModel from its files: the same steps eager and captured; frozen but for its head', async () => {
    const path = await saveModel(mobileNet({ side: null, dropout: 0.2 }), await temporaryFolder());
    const model = {
      name: 'layers-model',
      path,
      pixels: 'signed',
      features: 'drop',
      stages: ['stem_relu'],
    } satisfies TrainerOptions['model'];
    const [eager, captured] = [await train(model, 'eager'), await train(model, 'captured')];
    expect(farthest(eager.snapshot!, captured.snapshot!)).toBeLessThan(1e-5);
    const frozen = await train({ ...model, freeze: ['backbone'] }, 'captured', { train: { epochs: 30 } });
    const start = mobileNet({ side: null, dropout: 0.2 });
    for (const { originalName, ...variable } of start.weights.filter((own) => !own.originalName.startsWith('logits'))) {
      const before = [...(variable as tf.LayerVariable & { val: tf.Tensor }).val.dataSync()];
      expect(valuesOf(frozen, originalName), originalName).toEqual(before);
      expect(valuesOf(captured, originalName), originalName).not.toEqual(before);
    }
    expect(valuesOf(frozen, 'classifier/kernel')).not.toEqual(valuesOf(captured, 'classifier/kernel'));
    expect(frozen.epochs.at(-1)!.train.loss).toBeLessThan(0.8 * frozen.epochs[0]!.train.loss);
  });

  test('a GraphModel from its files: its own features, and only the new head is trained', async () => {
    const path = await saveGraph(await temporaryFolder());
    const model = { name: 'graph-model', path, pixels: 'unit', features: 'pool' } as const;
    const task = { classes: 4, imageShape: [8, 8, 3], mean: [0.5, 0.5, 0.5], std: [0.25, 0.25, 0.25] } as const;
    const made: Model = await openModel(model, task, 'native');
    const pass: Pass = { training: false, inputs: {}, variants: {}, atStage: (_, x) => x };
    const images = tf.randomUniform([5, 8, 8, 3], -2, 2, 'float32', 4);
    const weights = Object.fromEntries(
      made.weights.map(({ name, shape, initial }) => [name, tf.tensor(initial(randomStream(name)), [...shape])]),
    );
    const { filter, bias } = graphWeights;
    const expected = tf
      .conv2d(images.mul(0.25).add(0.5) as tf.Tensor4D, tf.tensor(filter.values, [3, 3, 3, 8]), 2, 'same')
      .add(tf.tensor(bias.values))
      .relu()
      .mean([1, 2]);
    expect(relativeDistance(made.forward(weights, images, pass).features, expected)).toBeLessThan(2e-6);

    const [eager, captured] = [await train(model, 'eager'), await train(model, 'captured')];
    expect(farthest(eager.snapshot!, captured.snapshot!)).toBeLessThan(1e-5);
    expect(valuesOf(captured, 'graph/filter')).toEqual([...filter.values]);
    const longer = await train(model, 'captured', { train: { epochs: 30 } });
    expect(longer.summary.last!.accuracy).toBeGreaterThan(0.4);
    await expect(
      openModel({ name: 'graph-model', path, pixels: 'unit' }, task),
    ).rejects.toThrowErrorMatchingInlineSnapshot(
      `[TailmixError: model.features: is required: the graph ends in a softmax. Name what the new head is to start from; the last ones: dense, axes, conv, biased, relu, pool, logits, probabilities.]`,
    );
  });

  test('in a config: pinned by checksum, which decides the hash; a run goes on from its checkpoint', async () => {
    const path = await saveModel(mobileNet({ side: null }), await temporaryFolder());
    const section = { name: 'layers-model', path: './model.json', pixels: 'signed', features: 'pool' };
    const context = { registry, defaults, path: join(dirname(path), 'run.yaml') };
    const config = await resolveConfig({ data: { name: 'digits' }, model: section }, context);
    const { model } = config.options;
    expect(model).toMatchObject({ name: 'layers-model', sha256: expect.stringMatching(/^[0-9a-f]{64}$/) });
    const other = await saveModel(mobileNet({ side: null, top: false }), await temporaryFolder());
    const moved = { ...section, path: other };
    expect((await resolveConfig({ data: { name: 'digits' }, model: moved }, context)).hash).not.toBe(config.hash);

    const own = trainerOptions(config).model;
    const whole = await train(own, 'captured');
    const half = await train(own, 'captured', { train: { epochs: 2 } });
    const again = await train(own, 'captured', { resume: half.snapshot! });
    expect(farthest(again.snapshot!, whole.snapshot!)).toBe(0);

    await expect(createTrainer(trainerOptions(config)).run()).rejects.toThrow(
      "model: mobile expects any×any×3; the run's images are 28×28×1. Choose data, or a size (data.imageSize), that fits.",
    );
    await appendFile(join(dirname(path), 'group1-shard2of2.bin'), Buffer.alloc(4));
    await expect(train(own, 'captured')).rejects.toThrow(/expected files with SHA-256 \w{12}…, got \w{12}…/);
    await truncate(join(dirname(path), 'group1-shard2of2.bin'), 8);
    await expect(train(own, 'captured')).rejects.toThrow(/expected \d+ bytes of weights, got \d+\. Copy all files/);
    await rm(path);
    await expect(resolveConfig({ data: { name: 'digits' }, model: section }, context)).rejects.toThrow(
      /model\.path\n {2}expected a model\.json of TensorFlow\.js; there is no file/,
    );
  });

  test('what cannot be a backbone is said by layer', async () => {
    const open = async (network: tf.LayersModel, options: object = {}): Promise<Model> =>
      openModel(
        { name: 'layers-model', path: await saveModel(network, await temporaryFolder()), pixels: 'unit', ...options },
        { classes: 4, imageShape: [16, 16, 3], mean: [0, 0, 0], std: [1, 1, 1] },
        'native',
      );
    await expect(open(mobileNet())).rejects.toThrowErrorMatchingInlineSnapshot(
      `[TailmixError: model.features: is required: mobile ends in a softmax over 7 classes. Name what the new head is to start from; the last ones: block2_dw_relu, block2_pw, block2_pw_bn, block2_pw_relu, block2_add, pool, logits, softmax.]`,
    );
    await expect(open(mobileNet(), { features: 'pol' })).rejects.toThrowErrorMatchingInlineSnapshot(
      `[TailmixError: model.features: expected one of the model's 20 outputs or layers, got "pol". The last ones: block2_dw_relu, block2_pw, block2_pw_bn, block2_pw_relu, block2_add, pool, logits, softmax.]`,
    );
    await expect(
      open(mobileNet({ regularizer: true }), { features: 'pool' }),
    ).rejects.toThrowErrorMatchingInlineSnapshot(
      `[TailmixError: model: layer stem (Conv2D) has a kernelRegularizer, which a step of tailmix does not apply. Use weightDecay of the optimizer, or a plugin that adds a penalty, and say \`regularizers: ignore\`.]`,
    );
    await expect(
      open(mobileNet(), { features: 'pool', stages: ['block2_dw'] }),
    ).rejects.toThrowErrorMatchingInlineSnapshot(
      `[TailmixError: model.stages: expected layers that all features go through once; block2_dw is bypassed by a parallel branch.]`,
    );
    await expect(open(mobileNet({ side: 8 }), { features: 'pool' })).rejects.toThrowErrorMatchingInlineSnapshot(
      `[TailmixError: model: mobile expects 8×8×3; the run's images are 16×16×3. Choose data, or a size (data.imageSize), that fits.]`,
    );
    // A node whose shape the file of a graph does not say.
    const graph = { name: 'graph-model', path: await saveGraph(await temporaryFolder()), features: 'pool' };
    await expect(open(mobileNet(), graph)).rejects.toThrowErrorMatchingInlineSnapshot(
      `[TailmixError: model: graph-model expects 8×8×3; the run's images are 16×16×3. Choose data, or a size (data.imageSize), that fits.]`,
    );
    const ignored = await open(mobileNet({ regularizer: true }), { features: 'pool', regularizers: 'ignore' });
    expect(ignored.featureSize).toBe(12);
  });
});

test('a gradient that WebAssembly lacks is named, with what to do', async () => {
  const run = createTrainer({
    data: squares(),
    model: (task) => layersModel(mobileNet({ side: null }), { pixels: 'signed', features: 'pool' }, task),
    backend: 'wasm',
    train: { epochs: 1, batchSize: 16 },
  }).run();
  await expect(run).rejects.toThrow(
    /step: expected ops that the backend wasm has; it lacks DepthwiseConv2dNativeBackprop\w+\. Use the native backend/,
  );
});
