import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, test, vi } from 'vitest';
import cutmix from '../../plugins/cutmix/index.ts';
import lws from '../../plugins/lws/index.ts';
import resample from '../../plugins/resample/index.ts';
import { createModel, modelOptions } from '../../src/models/index.ts';
import { planRun } from '../../src/train/plan-run.ts';
import type { TrainerOptions } from '../../src/train/prepare.ts';
import { createTrainer } from '../../src/train/trainer.ts';
import { messageOfError } from '../support/message.ts';
import { temporaryFolder } from '../support/temporary.ts';

let cache: string;
beforeEach(async () => {
  cache = await temporaryFolder();
  vi.stubEnv('TAILMIX_CACHE', cache);
});

type Data = Extract<TrainerOptions['data'], { name: unknown }>;
const blobs: Data = { name: 'blobs', ratio: 5, split: { validation: 0.2 }, workers: 0 };
const rows: Data = { ...blobs, features: true };
const options: TrainerOptions = {
  data: rows,
  model: { name: 'mlp', width: 8, freeze: ['backbone'] },
  train: { epochs: 2, batchSize: 32, optimizer: { name: 'sgd', learningRate: 0.05 } },
  backend: 'wasm',
};

/** Trains, and names the splits whose features were computed. */
async function trained(changes: Partial<TrainerOptions> = {}) {
  const computed = new Set<string>();
  const result = await createTrainer({
    ...options,
    onDataProgress: ({ split, backbone }) => backbone !== undefined && computed.add(split),
    ...changes,
  }).run();
  return { ...result, computed: [...computed] };
}

const everySplit = ['train', 'validation', 'test'];

test('a run on features is the run with a frozen backbone, and holds the classifier alone', async () => {
  const features = await trained();
  const images = await trained({ data: blobs });
  expect(features.computed).toEqual(everySplit);
  expect(Object.keys(features.snapshot!.state)).toEqual([
    'classifier/kernel',
    'classifier/bias',
    'momentum/classifier/kernel',
    'momentum/classifier/bias',
  ]);
  for (const [i, epoch] of features.epochs.entries()) {
    const other = images.epochs[i]!;
    expect(epoch.train.loss).toBeCloseTo(other.train.loss, 5);
    expect(epoch.test!.loss).toBeCloseTo(other.test!.loss, 5);
    expect(epoch.validation!.perClass).toEqual(other.validation!.perClass);
    expect(epoch.test!.perClass).toEqual(other.test!.perClass);
  }
  const { subsetHash, images: seen } = features.summary;
  expect(subsetHash).toBe(images.summary.subsetHash);
  expect(seen!.train).toMatch(/^[0-9a-f]{64}$/);
});

test('features are computed once for the same weights and images, and again where their file is damaged', async () => {
  const first = await trained();
  const again = await trained({ train: { ...options.train, epochs: 1 }, method: 'another' });
  expect(again.computed).toEqual([]);
  expect(again.epochs[0]!.train.loss).toBe(first.epochs[0]!.train.loss);
  expect((await trained({ seed: 1 })).computed).toEqual(everySplit);
  expect((await trained({ model: { name: 'mlp', width: 9 } })).computed).toEqual(everySplit);
  expect((await trained({ data: { ...rows, mean: [0.4, 0.4] } })).computed).toEqual(everySplit);
  expect((await trained({ data: { ...rows, ratio: 6 } })).computed).toEqual(['train']);

  const folder = join(cache, 'packed');
  for (const file of await readdir(folder)) {
    const bytes = await readFile(join(folder, file));
    bytes[4096]! ^= 1;
    await writeFile(join(folder, file), bytes);
  }
  const mended = await trained();
  expect(mended.computed).toEqual(everySplit);
  expect(mended.epochs).toMatchObject(first.epochs.map(({ train }) => ({ train })));
});

test('the network of a function computes them in each run; its classifier must be one of tailmix’s', async () => {
  const make: Extract<TrainerOptions['model'], (task: never) => unknown> = (task) =>
    createModel(modelOptions.parse({ name: 'mlp', width: 8 }), task);
  const epochs = { ...options.train, epochs: 1 };
  const [first, second] = [
    await trained({ model: make, train: epochs }),
    await trained({ model: make, train: epochs }),
  ];
  expect([first.computed, second.computed]).toEqual([everySplit, everySplit]);
  expect(second.epochs[0]!.train.loss).toBe(first.epochs[0]!.train.loss);
  const headless: typeof make = async (task) => {
    const { head: _, ...model } = await make(task);
    return model;
  };
  expect(await messageOfError(() => trained({ model: headless }))).toBe(
    'data.features: expected a model whose classifier is linear or cosine, with the weights classifier/kernel [features, classes] and maybe classifier/bias; that of "mlp" is another. Leave data.features out.',
  );
});

test('phases train on them: a second phase that scales the classes', async () => {
  const phases = [
    { name: 'erm', epochs: 1 },
    {
      name: 'lws',
      epochs: 1,
      model: { freeze: ['backbone', 'classifier'] },
      plugins: [resample({ weights: 'class-uniform' }), lws()],
    },
  ];
  const { snapshot } = await trained({ phases });
  expect(snapshot!.weights).toEqual(['classifier/kernel', 'classifier/bias', 'lws/scale']);
});

describe('the plan', () => {
  const plan = (changes: Partial<TrainerOptions> = {}) => planRun({ ...options, ...changes });

  test('names them, and reads no image', async () => {
    const { plan: text, info } = await plan();
    expect(text).toMatch(/^features {16}8 of mlp, computed once of images of \d+ × \d+$/m);
    expect(info).toMatchObject({ imageShape: [1, 1, 8], modelStages: ['input'], start: { freeze: [] } });
    expect(await readdir(cache)).not.toContain('packed');
  });

  test.each<[string, Partial<TrainerOptions>, string]>([
    [
      'transforms',
      { data: { ...rows, augment: [{ name: 'flip' }] } },
      'data.augment: expected none with data.features, whose rows are computed once from whole images; got flip. Remove data.augment, or data.features.',
    ],
    [
      'norms by the batch',
      { model: { name: 'mlp', frozenNorm: 'batch' } },
      'model.frozenNorm: expected `running` with data.features, whose rows are computed one by one; got `batch`. Remove it, or data.features.',
    ],
    [
      'patches',
      { plugins: [cutmix()] },
      'plugins[0] (cutmix) works on pixels, and with data.features the rows are features.\n  Remove it, or data.features.',
    ],
    [
      'a backbone that begins anew',
      { model: { name: 'mlp', init: 'first', reset: ['stage1'] } },
      'model.reset: expected `classifier` with data.features, whose rows are computed by the backbone as it begins; got stage1. Remove it, or leave data.features out.',
    ],
  ])('%s are refused', async (_, changes, message) => {
    expect(await messageOfError(() => plan(changes))).toBe(message);
  });
});
