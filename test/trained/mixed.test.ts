import { expect, test } from 'vitest';
import cutmix from '../../plugins/cutmix/index.ts';
import manifoldMixup from '../../plugins/manifold-mixup/index.ts';
import mixup from '../../plugins/mixup/index.ts';
import remix from '../../plugins/remix/index.ts';
import { definePlugin, type Plugin, z } from '../../src/index.ts';
import type { BatchResult } from '../../src/step/types.ts';
import { readData } from '../../src/train/prepare.ts';
import { createTrainer, type TrainerOptions } from '../../src/train/trainer.ts';
import { mixedBatch } from '../../src/trained/mixed.ts';

/** What the network was given, and what its labels weighed, step by step. */
function recorder() {
  const results: BatchResult[] = [];
  const plugin = definePlugin({
    name: 'recorder',
    options: z.strictObject({}),
    apply({ hooks }) {
      hooks.buildModel.tap('recorder', (forward) => (weights, images, pass) => {
        let input = images;
        const atStage: typeof pass.atStage = (stage, x) => {
          const features = pass.atStage(stage, x);
          if (stage === 'input') input = features;
          return features;
        };
        const outputs = forward(weights, images, { ...pass, atStage });
        return { ...outputs, extras: { ...outputs.extras, 'recorder/input': input } };
      });
      hooks.buildLoss.tap('recorder', (loss) => ({
        ...loss,
        perSample: { ...loss.perSample, 'recorder/input': ({ extras }) => extras!['recorder/input']! },
      }));
      hooks.onBatchEnd.tap('recorder', (result) => {
        results.push(result);
      });
    },
  });
  return { results, plugin: plugin({}) };
}

const optionsOf = (plugins: readonly Plugin[]): TrainerOptions => ({
  seed: 3,
  data: { name: 'digits', profile: 'exp', ratio: 100, augment: [{ name: 'pad-crop' }] },
  model: { name: 'small-cnn' },
  plugins,
  train: { epochs: 1, batchSize: 32, step: 'eager' },
});

test.each([
  ['mixup and remix', [mixup({ alpha: 1, lambda: 'sample' }), remix({ kappa: 2 })], 'input'],
  ['cutmix', [cutmix({ alpha: 1 }), remix({ kappa: 2 })], 'input:box'],
] as const)('%s: the pictures are those that the run was trained on', { timeout: 120_000 }, async (_, plugins, mix) => {
  const { results, plugin } = recorder();
  const data = await readData(optionsOf([]));
  await createTrainer({ ...optionsOf([...plugins, plugin]), data }).run();

  const sample = (await mixedBatch({ whole: optionsOf(plugins), data }))!;
  expect(sample).toMatchObject({ epoch: 1, mix, size: 32 });
  const { batch, targets, outputs } = results[sample.step - 1]!;
  const trained = outputs['recorder/input'] as Float32Array;
  const [mean, std] = [data.info.mean[0]!, data.info.std[0]!];
  const pixels = sample.rows[0]!.own.length;
  const differs = Array.from({ length: 32 }, (__, i) => targets.labelWeight[i] !== batch.lambda[i]);
  expect(sample.relabelled).toBe(differs.filter(Boolean).length);
  expect(sample.relabelled).toBeGreaterThan(0);
  expect(sample.rows.some(({ lambda, labelWeight }) => lambda !== labelWeight)).toBe(true);
  for (const row of sample.rows) {
    const place = targets.labelWeight.findIndex(
      (weight, i) =>
        weight === row.labelWeight &&
        batch.lambda[i] === row.lambda &&
        targets.labels[i] === row.label &&
        targets.pairLabels[i] === row.pairLabel &&
        isNear(trained.subarray(i * pixels, (i + 1) * pixels), row.mixed!),
    );
    expect(place).toBeGreaterThanOrEqual(0);
  }

  /** Within the rounding to whole pixel values. */
  function isNear(normalised: Float32Array, image: Uint8Array): boolean {
    return normalised.every((value, at) => Math.abs(255 * (value * std + mean) - image[at]!) <= 0.51);
  }
});

test('of features that are mixed there is no mixed image, of plain training nothing', async () => {
  const data = await readData(optionsOf([]));
  const sample = await mixedBatch({ whole: optionsOf([manifoldMixup({ stages: ['stage1'] })]), data });
  expect(sample?.mix).toBe('stage1');
  expect(sample?.rows.every(({ mixed }) => mixed === null)).toBe(true);
  expect(await mixedBatch({ whole: optionsOf([]), data })).toBeNull();
});

test('of several phases, that of the first which mixes', async () => {
  const whole = { ...optionsOf([]), phases: [{ epochs: 2 }, { epochs: 1, plugins: [mixup({ alpha: 1 })] }] };
  const data = await readData(optionsOf([]));
  expect(await mixedBatch({ whole, data })).toMatchObject({ epoch: 3, mix: 'input' });
});
