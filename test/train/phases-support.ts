import { z } from 'zod';
import lrSchedule from '../../plugins/lr-schedule/index.ts';
import mixup from '../../plugins/mixup/index.ts';
import resample from '../../plugins/resample/index.ts';
import { definePlugin } from '../../src/plugin.ts';
import type { Snapshot } from '../../src/run.ts';
import type { TrainerOptions } from '../../src/train/trainer.ts';
import { squares } from '../support/squares.ts';

export const model = { name: 'small-cnn', width: 2 } as const;
export const head = { freeze: ['backbone'], reset: ['classifier'], frozenNorm: 'running' } as const;

/** ERM, then a head trained anew on a balanced draw: three epochs of 3 steps, two of 5. */
export const crt = (more: Partial<TrainerOptions> = {}): TrainerOptions => ({
  data: squares(),
  model,
  train: { epochs: 3, batchSize: 16 },
  plugins: [mixup()],
  phases: [
    { name: 'erm' },
    {
      name: 'crt',
      epochs: 2,
      model: head,
      train: { batchSize: 8, optimizer: { name: 'sgd', learningRate: 0.02 } },
      plugins: [resample({ weights: 'class-uniform' }), lrSchedule({ schedule: 'cosine', warmup: 0 })],
    },
  ],
  ...more,
});

/** What an observer is told, as text, and the snapshot of each epoch. */
export function watcher(name: string, spans: 'phase' | 'run') {
  const heard: string[] = [];
  const snapshots: Snapshot[] = [];
  const plugin = definePlugin({
    name,
    options: z.strictObject({}),
    spans,
    apply({ hooks, info }) {
      heard.push(`${info.epochs} epochs`);
      hooks.onTrainBegin.tap(name, (run) => void heard.push(`begin after ${run.resumedFrom}, ${run.info.epochs}`));
      hooks.onEpochBegin.tap(name, (epoch) => void heard.push(`epoch ${epoch}`));
      hooks.onBatchEnd.tap(name, ({ epoch, step, stepInEpoch }) => void heard.push(`${epoch}/${step}/${stepInEpoch}`));
      hooks.onEpochEnd.tap(name, (metrics, run) => {
        heard.push(`end of ${metrics.epoch} ${metrics.phase ?? '–'} at ${metrics.step}`);
        snapshots.push(structuredClone(run.snapshot()));
      });
      hooks.onTrainEnd.tap(name, ({ lastEpoch }) => void heard.push(`over at ${lastEpoch}`));
    },
  });
  return { plugin: plugin(), heard, snapshots };
}
