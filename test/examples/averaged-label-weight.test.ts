import { expect, test } from 'vitest';
import averagedLabelWeight, { averaged } from '../../examples/averaged-label-weight.ts';
import mixup from '../../plugins/mixup/index.ts';
import remix from '../../plugins/remix/index.ts';
import type { Plugin } from '../../src/plugin.ts';
import { createTrainer } from '../../src/train/trainer.ts';
import { squares, tinyModel } from '../support/squares.ts';

test('every sample gets the mean', () => {
  expect([...averaged(Float32Array.of(0, 1, 1, 0.5))]).toEqual([0.625, 0.625, 0.625, 0.625]);
});

test('trains otherwise than Remix, on the same images', async () => {
  const train = (...more: Plugin[]) =>
    createTrainer({
      data: squares(),
      model: tinyModel(),
      plugins: [mixup(), remix({ kappa: 1.5 }), ...more],
      train: { epochs: 2, batchSize: 16, optimizer: { name: 'sgd', learningRate: 0.05 } },
    }).run();
  const [right, wrong] = [await train(), await train(averagedLabelWeight())];
  expect(wrong.epochs[0]!.train.loss).not.toBe(right.epochs[0]!.train.loss);
});
