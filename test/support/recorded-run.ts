import { z } from 'zod';
import { withoutConfusion } from '../../src/metrics/summary.ts';
import { definePlugin, type Plugin } from '../../src/plugin.ts';
import type { Snapshot } from '../../src/run.ts';
import type { BatchResult } from '../../src/step/types.ts';
import type { TrainOptions } from '../../src/train/options.ts';
import { createTrainer } from '../../src/train/trainer.ts';
import { squares } from './squares.ts';
import { temporaryFolder } from './temporary.ts';
import { modelFor } from './tiny-transformer.ts';

/**
 * Trains the tiny model on 16 squares, a step an epoch; returns what each step saw and came to, the snapshot and the
 * figures of each epoch, and the weights.
 */
export async function recordRun(
  plugins: readonly Plugin[],
  { epochs = 2, step = 'auto', resume }: { epochs?: number; step?: TrainOptions['step']; resume?: Snapshot } = {},
) {
  const steps: BatchResult[] = [];
  const snapshots: Snapshot[] = [];
  const observer = definePlugin({
    name: 'observer',
    options: z.strictObject({}),
    apply({ hooks }) {
      hooks.onBatchEnd.tap('observer', (result) => void steps.push(structuredClone(result)));
      hooks.onEpochEnd.tap('observer', (_, run) => void snapshots.push(structuredClone(run.snapshot())));
    },
  });
  const { epochs: metrics, snapshot } = await createTrainer({
    data: { ...squares([10, 3, 2, 1]), validation: squares().test },
    model: modelFor(plugins),
    plugins: [...plugins, observer()],
    train: { epochs, batchSize: 16, step },
    directory: await temporaryFolder(),
    ...(resume ? { resume } : {}),
  }).run();
  const figures = metrics.map(({ epoch, learningRate, train: { loss, accuracy }, test }) => ({
    epoch,
    learningRate,
    loss,
    accuracy,
    test: test && withoutConfusion(test),
  }));
  return { steps, snapshots, figures, state: snapshot!.state };
}

/** What {@link recordRun} returns. */
export type Recorded = Awaited<ReturnType<typeof recordRun>>;
