import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import choose from '../../plugins/choose/index.ts';
import cutmix from '../../plugins/cutmix/index.ts';
import mixup from '../../plugins/mixup/index.ts';
import remix from '../../plugins/remix/index.ts';
import unimix from '../../plugins/unimix/index.ts';
import { whyNotNative } from '../../src/backend/native.ts';
import type { TransformOptions } from '../../src/data/transforms/options.ts';
import { definePlugin, type Plugin } from '../../src/plugin.ts';
import { createTrainer, type TrainerOptions } from '../../src/train/trainer.ts';
import { squares } from '../support/squares.ts';

const skipped = whyNotNative('native');
if (skipped !== null) console.warn(`SKIPPED: partners from the whole batch, ${skipped}`);

/** Losses, pairs and the last state of twelve steps on augmented squares. */
async function run(plugins: readonly Plugin[], train: NonNullable<TrainerOptions['train']>) {
  const losses: number[] = [];
  const pairs: number[][] = [];
  const observer = definePlugin({
    name: 'observer',
    options: z.strictObject({}),
    apply({ hooks }) {
      hooks.onBatchEnd.tap('observer', ({ loss, batch }) => {
        losses.push(loss);
        pairs.push([...batch.pair]);
      });
    },
  });
  const augment: TransformOptions[] = [
    { name: 'flip', probability: 0.5 },
    { name: 'pad-crop', padding: 1 },
  ];
  const { snapshot } = await createTrainer({
    data: { ...squares([20, 9, 5, 2]), augment },
    model: { name: 'small-cnn', width: 16 },
    plugins: [...plugins, observer()],
    train: {
      ...{ epochs: 4, batchSize: SIZE, dropLast: true, step: 'captured' },
      optimizer: { name: 'sgd', learningRate: 0.01 },
      ...train,
    },
    evaluate: { every: 100 },
  }).run();
  return { losses, pairs, state: snapshot!.state };
}

/** Partners are rows of a second draw, the other way round; images are as bright as an input of the pool says. */
const crossing = definePlugin({
  name: 'crossing',
  options: z.strictObject({}),
  provides: ['mix'],
  variants: () => ({ mix: ['input'] }),
  rows: () => ({ second: { weights: (_, { labels }) => new Float64Array(labels.length).fill(1) } }),
  inputs: () => ({ bright: { shape: ['pool'], dtype: 'float32' } }),
  apply({ hooks }) {
    hooks.onBatch.tap('crossing', (batch) => ({
      ...batch,
      pair: batch.pair.map((_, i) => batch.poolSize - 1 - i),
      lambda: batch.lambda.map((_, i) => 1 - 0.05 * i),
      inputs: { ...batch.inputs, 'crossing/bright': Float32Array.from(batch.indices, (row) => 0.5 + (row % 7) / 7) },
    }));
    hooks.buildModel.tap('crossing', (forward) => (weights, images, pass) => {
      const bright = pass.inputs['crossing/bright'];
      return forward(weights, bright ? images.mul(bright.reshape([-1, 1, 1, 1])) : images, pass);
    });
  },
});

const SIZE = 12;

type Ran = Awaited<ReturnType<typeof run>>;

/** Of losses, weights and statistics; relative where they are above 1. */
function apart(a: Ran, b: Ran): number {
  const arrays = Object.entries(a.state).map(([name, { values }]) => [values, b.state[name]!.values] as const);
  const distances = [[a.losses, b.losses] as const, ...arrays].flatMap(([one, other]) =>
    Array.from(one, (value, i) => Math.abs(value - other[i]!) / Math.max(1, Math.abs(other[i]!))),
  );
  return distances.reduce((most, distance) => Math.max(most, distance), 0);
}

describe.skipIf(skipped !== null)('partners from the whole batch, batch norm synced', { timeout: 120_000 }, () => {
  const shared = { replicas: 3, batchNorm: 'synced' } as const;

  test.each<[string, () => Plugin[]]>([
    ['mixup, remix', () => [mixup(), remix()]],
    ['cutmix', () => [cutmix({ probability: 1 })]],
    ['unimix', () => [unimix()]],
    ['one of several: choose', () => [choose({ of: [{ plugin: mixup() }, { plugin: cutmix() }] })]],
  ])('is training on the whole batch: %s', async (_, plugins) => {
    const whole = await run(plugins(), {});
    expectSame(await run(plugins(), { ...shared, pairs: 'global' }), whole);
    expect(apart(await run(plugins(), shared), whole)).toBeGreaterThan(1e-3);
  });

  test('so it is with partners of a second draw, and an input of the pool', async () => {
    expectSame(await run([crossing()], { ...shared, pairs: 'global' }), await run([crossing()], {}));
    await expect(run([crossing()], shared)).rejects.toThrow(/got row 23, of replica 2.*train.pairs: global/);
  });
});

/** One step within 1e-6, twelve within 1e-4, of partners that other replicas have too. */
function expectSame(shared: Ran, whole: Ran): void {
  expect(shared.pairs).toEqual(whole.pairs);
  const replicaOf = (row: number): number => Math.floor((row % SIZE) / 4);
  expect(shared.pairs.every((pair) => pair.some((row, i) => replicaOf(row) !== replicaOf(i)))).toBe(true);
  expect(whole.losses).toHaveLength(12);
  expect(Math.abs(shared.losses[0]! - whole.losses[0]!)).toBeLessThan(1e-6);
  expect(apart(shared, whole)).toBeLessThan(1e-4);
}
