import { z } from 'zod';
import { definePlugin } from '../../src/plugin.ts';
import type { BatchResult } from '../../src/step/types.ts';
import type { TrainOptions } from '../../src/train/options.ts';
import { createTrainer, type TrainerOptions } from '../../src/train/trainer.ts';
import { mapValues } from '../../src/util/map-values.ts';
import { squares, tinyModel } from './squares.ts';

/** Two epochs of full batches, in as many replicas. */
export const twoEpochs = (step: TrainOptions['step'], replicas = 1): NonNullable<TrainerOptions['train']> => ({
  epochs: 2,
  batchSize: 8,
  step,
  replicas,
  dropLast: true,
  optimizer: { name: 'sgd', learningRate: 0.02 },
});

/** Trains on 20 squares, the smallest model unless another is given; with what each batch gave, and the state as plain numbers. */
export async function smallRun(options: Partial<TrainerOptions>) {
  const results: BatchResult[] = [];
  const ear = definePlugin({
    name: 'ear',
    options: z.strictObject({}),
    apply: ({ hooks }) => hooks.onBatchEnd.tap('ear', (result) => void results.push(result)),
  });
  const { snapshot, epochs, summary } = await createTrainer({
    data: squares([10, 5, 3, 2]),
    model: tinyModel(),
    ...options,
    plugins: [...(options.plugins ?? []), ear()],
  }).run();
  return {
    mode: summary.stepMode,
    summary,
    results,
    losses: results.map(({ loss }) => loss),
    epochs,
    snapshot: snapshot!,
    state: mapValues(snapshot!.state, ({ values }) => [...values]),
  };
}
