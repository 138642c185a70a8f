import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, expect, test, vi } from 'vitest';
import { z } from 'zod';
import distill from '../../plugins/distill/index.ts';
import mixup from '../../plugins/mixup/index.ts';
import remix from '../../plugins/remix/index.ts';
import { loadBackend } from '../../src/backend/load.ts';
import { createModel, modelOptions } from '../../src/models/index.ts';
import { readPublished } from '../../src/models/published/read.ts';
import { definePlugin, type Plugin } from '../../src/plugin.ts';
import { tf } from '../../src/tf.ts';
import { preparePlugin } from '../../src/train/prepared.ts';
import { sizeOf } from '../../src/util/shape.ts';
import { noise, readReference } from '../models/reference.ts';
import { messageOfError } from '../support/message.ts';
import { smallRun, twoEpochs } from '../support/small-run.ts';
import { squares } from '../support/squares.ts';
import { temporaryFolder } from '../support/temporary.ts';

beforeAll(async () => void (await loadBackend()));
vi.setConfig({ testTimeout: 300_000 });

const { networks } = readReference<{ networks: Record<string, { both: string }> }>('published-names.json');

/**
 * A file as timm writes it: a ResNet-18 in full, of random numbers, with `num_batches_tracked`, whose classifier has so many classes.
 */
async function writeResNet18(classes: number): Promise<string> {
  const arrays = networks.resnet18!.both.split(' ').map((array) => {
    const [name, shape] = array.split(':') as [string, string];
    return {
      name,
      shape: shape.split('x').map((length, axis) => (name.startsWith('fc.') && axis === 0 ? classes : Number(length))),
    };
  });
  const header: Record<string, object> = {};
  const parts: Uint8Array[] = [];
  let end = 0;
  const add = (name: string, dtype: string, shape: number[], values: Float32Array | BigInt64Array): void => {
    header[name] = { dtype, shape, data_offsets: [end, end + values.byteLength] };
    end += values.byteLength;
    parts.push(new Uint8Array(values.buffer));
  };
  for (const { name, shape } of arrays) {
    const values = noise(name, sizeOf(shape));
    const fan = sizeOf(shape.slice(1));
    // Norms about 1, kernels as Kaiming draws them: the logits are neither flat nor one-hot.
    const scaled =
      shape.length > 1 ? values.map((value) => value * Math.sqrt(6 / fan)) : values.map((value) => 0.1 * value);
    add(
      name,
      'F32',
      shape,
      /running_var|bn\d\.weight|downsample\.1\.weight/.test(name) ? scaled.map((value) => 1 + value) : scaled,
    );
  }
  add('bn1.num_batches_tracked', 'I64', [], BigInt64Array.of(7n));
  const text = Buffer.from(JSON.stringify({ ...header, __metadata__: { format: 'pt' } }));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.length));
  const file = join(await temporaryFolder(), 'resnet18.safetensors');
  await writeFile(file, Buffer.concat([length, text, ...parts]));
  return file;
}

/** Brings the teacher's logits, and the images that it saw, to the host. */
const peek = definePlugin({
  name: 'peek',
  options: z.strictObject({}),
  apply: ({ hooks }) =>
    hooks.buildLoss.tap('peek', (loss) => ({
      ...loss,
      perSample: {
        ...loss.perSample,
        'peek/teacher': ({ extras }) => extras!['distill/teacher']!,
        'peek/images': (_, __, { inputs }) => inputs.images!,
      },
    })),
});

const data = () => ({ ...squares([10, 5, 3, 2], 32), augment: [] });
const options = { name: 'resnet18' } as const;
const run = (plugins: readonly Plugin[], more: Parameters<typeof smallRun>[0] = {}) =>
  smallRun({ data: data(), model: { name: 'small-cnn', width: 8 }, train: twoEpochs('auto'), ...more, plugins });

test('a file of published weights teaches: its logits, its state, and a resumed run without it', async () => {
  const file = await writeResNet18(4);
  const plugin = distill({ teacher: file, model: options });
  const whole = await run([plugin, peek()]);
  const network = createModel(modelOptions.parse(options), { classes: 4, imageShape: [32, 32, 3] });
  const weights = await readPublished({ name: 'resnet18', file }, network, () => true);
  for (const { name } of network.weights) expect(whole.state[`distill/${name}`]).toEqual([...weights[name]!]);
  const tensors = Object.fromEntries(
    network.weights.map(({ name, shape }) => [name, tf.tensor(weights[name]!, [...shape])]),
  );
  const { outputs } = whole.results[0]!;
  const { prepared } = await preparePlugin(plugin, { directory: '.' });
  // The file has no word about it: such networks were trained on images normalised as ImageNet's.
  expect(prepared!.value).toMatchObject({ mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] });
  const images = tf
    .tensor(outputs['peek/images'] as Float32Array, [8, 32, 32, 3])
    .mul(0.25)
    .add(0.5);
  const normalised = images.sub(tf.tensor1d([0.485, 0.456, 0.406])).div(tf.tensor1d([0.229, 0.224, 0.225]));
  const pass = { training: false, inputs: {}, variants: {}, atStage: (_: string, x: tf.Tensor) => x };
  const { logits } = network.forward(tensors, normalised, pass);
  const due = logits.dataSync();
  const largest = Math.max(...due.map(Math.abs));
  expect(largest).toBeGreaterThan(0.1);
  for (const [i, logit] of [...outputs['peek/teacher']!].entries())
    expect(Math.abs(Number(logit) - due[i]!)).toBeLessThan(1e-4 * largest);

  const half = await run([plugin], { train: { ...twoEpochs('auto'), epochs: 1 } });
  await rm(file);
  const resumed = await run([{ ...plugin, prepared: prepared! }], { resume: half.snapshot });
  expect(resumed.state).toEqual(whole.state);
});

test('captured is eager, mixed and relabelled', async () => {
  const plugins = [mixup(), remix({ kappa: 1.5 }), distill({ teacher: await writeResNet18(4), model: options })];
  const [eager, auto] = [await run(plugins, { train: twoEpochs('eager') }), await run(plugins)];
  for (const [i, loss] of eager.losses.entries()) expect(auto.losses[i]! / loss).toBeCloseTo(1, 4);
});

test('refused: a classifier of other classes, a file alone, a section that no such file is of', async () => {
  const file = await writeResNet18(10);
  const message = (model?: Record<string, unknown>) =>
    messageOfError(() => run([distill({ teacher: file, ...(model && { model }) })]));
  expect(await message(options)).toContain(
    'expected all weights of a trained network for the 4 classes of the run; its file lacks classifier/kernel, classifier/bias, or has them for another number of classes.',
  );
  expect(await message()).toContain(
    'or a file of published weights with the section `model` that it is of; got the file alone.',
  );
  expect(await message({ name: 'resnet32' })).toContain('(name: resnet18, resnet34,');
  expect(await message({ name: 'resnet18', depth: 3 })).toContain('model: Unrecognized key: "depth"');
  expect(await message({ name: 'resnet50' })).toContain('The nearest known network is resnet18 (all names)');
});
