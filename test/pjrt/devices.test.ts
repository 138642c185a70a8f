import { afterEach, expect, test, vi } from 'vitest';
import { z } from 'zod';
import { dropout } from '../../src/models/dropout.ts';
import type { Model } from '../../src/models/types.ts';
import { definePlugin } from '../../src/plugin.ts';
import type { TrainOptions } from '../../src/train/options.ts';
import { createTrainer, type TrainerOptions } from '../../src/train/trainer.ts';
import { mapValues } from '../../src/util/map-values.ts';
import { relativeDistance } from '../step/captured-support.ts';
import { pluginsNamed } from '../step/plugin-training.ts';
import { squares, tinyModel } from '../support/squares.ts';
import { describeDevices, plugin } from './support.ts';

afterEach(() => {
  vi.unstubAllEnvs();
});

/** small-cnn has batch norms. */
const smallCnn: TrainerOptions['model'] = { name: 'small-cnn' };

/** Pixels are dropped by the step's seed, otherwise in each replica. */
const dropping: Model = {
  ...tinyModel(),
  random: true,
  forward: (weights, images, pass) =>
    tinyModel().forward(weights, dropout(images, pass, { rate: 0.5, index: 0 }), pass),
};

/** Trains in steps of 8 images and of what is left of an epoch. */
async function train(
  device: string,
  settings: Partial<TrainOptions> = {},
  names: readonly string[] = [],
  { images = 16, model = smallCnn } = {},
) {
  vi.stubEnv('TAILMIX_PJRT', plugin);
  const losses: number[] = [];
  const predictions: number[][] = [];
  const observer = definePlugin({
    name: 'observer',
    options: z.strictObject({}),
    apply: ({ hooks }) =>
      hooks.onBatchEnd.tap('observer', (result) => {
        losses.push(result.loss);
        predictions.push([...result.predictions]);
      }),
  });
  const { snapshot, summary } = await createTrainer({
    data: { ...squares([images - 8, 4, 2, 2]), validation: squares().test },
    model,
    plugins: [...(await pluginsNamed(names)), observer()],
    train: { epochs: 6, batchSize: 8, device, optimizer: { name: 'sgd', learningRate: 0.01 }, ...settings },
  }).run();
  return {
    on: summary.device,
    accuracy: summary.last!.accuracy,
    losses,
    predictions,
    state: mapValues(snapshot!.state, ({ values }) => values.slice()),
  };
}
type Trained = Awaited<ReturnType<typeof train>>;

function expectAlike(several: Trained, one: Trained): void {
  expect(several.predictions).toEqual(one.predictions);
  expect(several.accuracy).toBe(one.accuracy);
  expect(Math.abs(several.losses[0]! / one.losses[0]! - 1)).toBeLessThan(3e-7);
  expect(relativeDistance({ losses: several.losses }, { losses: one.losses })).toBeLessThan(1e-6);
  expect(relativeDistance(several.state, one.state)).toBeLessThan(1e-6);
}

describeDevices('devices of one machine', () => {
  test('another one than the first is the same to the bit', async () => {
    const [first, third] = [await train('pjrt'), await train('pjrt:2')];
    expect(third).toEqual(first);
  });

  test('share a batch, with its norms, as one device has it; what they cannot divide each has whole', async () => {
    // The last batch of an epoch has 3 images.
    const on = (device: string) => train(device, {}, ['mixup', 'remix'], { images: 19 });
    const one = await on('pjrt');
    for (const [device, name] of [
      ['pjrt:0,3', 'cpu × 2'],
      ['pjrt:all', 'cpu × 4'],
    ] as const) {
      const several = await on(device);
      expect(several.on).toBe(name);
      expectAlike(several, one);
    }
  });

  test.each<[string, Partial<TrainOptions>, string[], TrainerOptions['model']?]>([
    ['norms of each replica, Remix', { replicas: 4 }, ['mixup', 'remix']],
    ['norms of the whole batch, any partners', { replicas: 4, batchNorm: 'synced', pairs: 'global' }, ['cutmix']],
    ['a second draw', { replicas: 4 }, ['bbn']],
    ['dropout', { replicas: 4 }, [], dropping],
  ])(
    'share replicas, 4 on 1, 2 on each of 2, 1 on each of 4: %s',
    { timeout: 300_000 },
    async (_, settings, names, model) => {
      const on = (device: string) => train(device, settings, names, { ...(model && { model }) });
      const [one, two, four] = [await on('pjrt'), await on('pjrt:0,1'), await on('pjrt:all')];
      expect([one.on, two.on, four.on]).toEqual(['cpu', 'cpu × 2', 'cpu × 4']);
      for (const several of [two, four]) expectAlike(several, one);
      // A replica computes nearly alike wherever it is, and all sum in the same order.
      expect(relativeDistance(four.state, two.state)).toBeLessThan(1e-7);
    },
  );

  test('a device that is not there, and what cannot be shared out, are refused', async () => {
    await expect(train('pjrt:1,4')).rejects.toMatchObject({
      code: 'PJRT_DEVICE',
      message: 'train.device: expected devices 0 to 3, which the plugin finds; got 4.',
    });
    await expect(train('pjrt:0,1,2')).rejects.toMatchObject({
      code: 'DEVICE_SETTING',
      message: expect.stringContaining('expected train.batchSize to be a multiple of 3, the number of devices, got 8'),
    });
    await expect(train('pjrt:all', { replicas: 2 })).rejects.toMatchObject({ code: 'DEVICE_SETTING' });
  });
});
