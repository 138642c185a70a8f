import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, test } from 'vitest';
import decorrelate, { decorrelation } from '../../examples/custom-plugin.ts';
import { registry } from '../../plugins/index.ts';
import { loadBackend } from '../../src/backend/load.ts';
import { loadConfig } from '../../src/config/load.ts';
import { trainerOptions } from '../../src/config/trainer-options.ts';
import { tf } from '../../src/tf.ts';
import { createTrainer } from '../../src/train/trainer.ts';
import { squares, tinyModel } from '../support/squares.ts';

const path = (file: string): string => fileURLToPath(new URL(`../../examples/${file}`, import.meta.url));

beforeAll(async () => {
  await loadBackend();
});

test('is under 40 lines', () => {
  expect(readFileSync(path('custom-plugin.ts'), 'utf8').trimEnd().split('\n').length).toBeLessThan(40);
});

test('the penalty, by hand', () => {
  // Features of means (2, 1): centred (−1, −1), (1, 1), covariance 1 either way. Half of 1² + 1².
  expect(
    decorrelation(
      tf.tensor2d([
        [1, 0],
        [3, 2],
      ]),
    ).dataSync()[0],
  ).toBeCloseTo(1, 6);
  // The second feature is constant: nothing to decorrelate.
  expect(
    decorrelation(
      tf.tensor2d([
        [1, 5],
        [3, 5],
      ]),
    ).dataSync()[0],
  ).toBeCloseTo(0, 6);
});

describe.each(['eager', 'auto'] as const)('in a trainer, step %s', (step) => {
  const train = (strength: number) =>
    createTrainer({
      data: squares(),
      model: tinyModel(),
      plugins: [decorrelate({ strength })],
      train: { epochs: 8, batchSize: 16, step, optimizer: { name: 'sgd', learningRate: 0.05 } },
    }).run();

  test('is logged under its name and does what it says', async () => {
    const [weak, strong] = [await train(1e-6), await train(0.05)];
    const covariance = ({ epochs }: Awaited<ReturnType<typeof train>>, strength: number) =>
      epochs.map(({ train }) => train.penalties.decorrelate! / strength);
    expect(covariance(strong, 0.05).at(-1)).toBeLessThan(0.8 * covariance(weak, 1e-6).at(-1)!);
    expect(covariance(strong, 0.05)[0]).toBeGreaterThan(0);
  });
});

test('from YAML', async () => {
  const config = await loadConfig(path('custom-plugin.yaml'), { registry, defaults: [], set: ['train.epochs=1'] });
  expect(config.plugins.map(({ definition, options }) => [definition.name, options])).toEqual([
    ['decorrelate', { strength: 0.001 }],
  ]);
  const { epochs } = await createTrainer(trainerOptions(config)).run();
  expect(epochs[0]!.train.penalties.decorrelate).toBeGreaterThan(0);
  expect(epochs[0]!.test!.accuracy).toBeGreaterThan(0.1);
});
