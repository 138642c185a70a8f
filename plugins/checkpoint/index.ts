import { rm } from 'node:fs/promises';
import {
  bestCheckpointPath,
  checkpointEpochs,
  checkpointPath,
  definePlugin,
  type Evaluation,
  judgedBy,
  Order,
  type Run,
  writeCheckpoint,
  z,
} from 'tailmix';
import { noValidation } from './errors.ts';

const name = 'checkpoint';

const options = z.strictObject({
  every: z.int().positive().default(1).describe('Epochs between checkpoints; the last epoch always gets one.'),
  keep: z.int().positive().default(2).describe('How many of the newest to keep; from 2 on a damaged one has a spare.'),
  best: z
    .enum(['none', 'validation', 'test'])
    .default('none')
    .describe('Also keep the best epoch on this split. `test` chooses by the test set, and its file is named so.'),
  metric: z
    .string()
    .default('balancedAccuracy')
    .describe('What the best epoch is best in: a figure of core’s or of a plugin’s, as `early-stopping` has them.'),
  better: z
    .enum(['high', 'low'])
    .optional()
    .describe('Which is better of the metric. Default: as it is known of core’s, `high` of a plugin’s.'),
  full: z
    .boolean()
    .default(false)
    .describe(
      'Write all weights. Otherwise those that are never trained and come from `model.weights` are left out: their file is named, and copied into the cache.',
    ),
});

/**
 * Epochs whose checkpoints go when only the newest `keep` stay. One that is newer than the one the run was resumed from is
 * damaged, and goes before any other.
 *
 * @param written - epochs whose checkpoints this process has written
 */
export function epochsToDelete(
  epochs: readonly number[],
  { keep, resumedFrom, written }: { keep: number; resumedFrom: number; written: ReadonlySet<number> },
): number[] {
  const whole = epochs.filter((epoch) => epoch <= resumedFrom || written.has(epoch));
  const kept = new Set(whole.toSorted((a, b) => a - b).slice(-keep));
  return epochs.filter((epoch) => !kept.has(epoch));
}

/**
 * Checkpoint: writes what a run can be resumed from, after all other observers have recorded the epoch. Runs by
 * default.
 *
 * @example
 * ```ts
 * createTrainer({ data: { name: 'digits' }, model: { name: 'mlp' }, plugins: [checkpoint({ every: 5, keep: 2 })] });
 * ```
 * @example
 * ```yaml
 * plugins:
 *   - use: checkpoint
 *     every: 5
 *     keep: 2
 * ```
 */
export default definePlugin({
  name,
  options,
  spans: 'run',
  apply({ hooks, info: { validationCount } }, { every, keep, best: split, metric, better: wanted, full }) {
    if (split === 'validation' && validationCount === 0) throw noValidation();
    // After tracking: a run killed between the two repeats an epoch that was recorded, and none goes missing.
    const stage = Order.Checkpoint;
    let best: number | null = null;
    const written = new Set<number>();

    const write = async (path: string, run: Run): Promise<void> => {
      const snapshot = run.snapshot();
      await writeCheckpoint(path, snapshot, { full });
      await hooks.onCheckpoint.promise({ path, epoch: snapshot.epoch, step: snapshot.step }, run);
    };
    const isBest = (evaluation: Evaluation | null): boolean => {
      if (!evaluation) return false;
      const { value, better } = judgedBy(evaluation, metric, wanted);
      if (best !== null && (better === 'high' ? value <= best : value >= best)) return false;
      best = value;
      return true;
    };

    hooks.onEpochEnd.tapPromise({ name, stage }, async (metrics, run) => {
      const { directory, info } = run;
      if (directory === null) return;
      if (split !== 'none' && isBest(metrics[split])) await write(bestCheckpointPath(directory, split), run);
      const isLast = metrics.epoch === info.epochs || run.stopped !== null;
      if (!isLast && metrics.epoch % every !== 0) return;
      await write(checkpointPath(directory, metrics.epoch), run);
      written.add(metrics.epoch);
      const { resumedFrom } = run;
      for (const old of epochsToDelete(await checkpointEpochs(directory), { keep, resumedFrom, written }))
        await rm(checkpointPath(directory, old));
    });
    return {
      save: () => ({ best }),
      load: (saved) => {
        best = z.object({ best: z.number().nullable() }).parse(saved).best;
      },
    };
  },
});
