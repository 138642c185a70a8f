import { definePlugin, judgedBy, type Run, z } from 'tailmix';
import { noValidation } from './errors.ts';

const name = 'early-stopping';

const options = z.strictObject({
  split: z
    .enum(['validation', 'test'])
    .default('validation')
    .describe('What to judge by. `test` chooses the run’s length on the test set, so its results are optimistic.'),
  metric: z
    .string()
    .default('balancedAccuracy')
    .describe(
      'What must get better: `accuracy`, `balancedAccuracy`, `many`, `medium`, `few`, `worstClass`, `macroF1`, `top5` must rise, `loss`, `ece` fall; or a figure of a plugin, by its name.',
    ),
  better: z
    .enum(['high', 'low'])
    .optional()
    .describe('Which is better of the metric. Default: as it is known of core’s, `high` of a plugin’s.'),
  patience: z.int().positive().default(10).describe('Epochs without an improvement after which the run ends.'),
  minDelta: z.number().min(0).default(0).describe('What is not better by more than this is no improvement.'),
});

type Options = z.output<typeof options>;

/** The best so far; null before the first evaluation. */
export interface Best {
  epoch: number;
  value: number;
}

/** `best`, or the given evaluation where it is better by more than `minDelta`. What is not a number never is. */
export function improve(
  best: Best | null,
  now: Best,
  { better, minDelta }: { better: 'high' | 'low'; minDelta: number },
): Best {
  if (best === null || Number.isNaN(best.value)) return now;
  const gain = better === 'low' ? best.value - now.value : now.value - best.value;
  return gain > minDelta ? now : best;
}

const saved = z.object({ best: z.object({ epoch: z.int(), value: z.number() }).nullable() });

/**
 * Early stopping: ends the run when a metric of the validation split has not improved for some epochs.
 *
 * @example
 * ```ts
 * createTrainer({
 *   data: { name: 'digits', split: { validation: 0.1 } },
 *   model: { name: 'mlp' },
 *   plugins: [earlyStopping({ metric: 'balancedAccuracy', patience: 20 })],
 * });
 * ```
 * @example
 * ```yaml
 * plugins:
 *   - use: early-stopping
 *     metric: balancedAccuracy
 *     patience: 20
 * data:
 *   name: digits
 *   split: { validation: 0.1 }
 * ```
 */
export default definePlugin({
  name,
  options,
  apply({ hooks, info: { epochs, validationCount }, warn }, options) {
    const { split, metric, patience, minDelta } = options;
    if (split === 'validation' && validationCount === 0) throw noValidation();
    if (patience >= epochs) warn('NO_EFFECT', `patience ${patience} is not below the ${epochs} epochs of the run.`);
    if (split === 'test')
      warn('NOT_INTENDED', 'the test set decides when the run ends, so its results are optimistic.');
    let best: Best | null = null;

    const stopWhenDue = (epoch: number, run: Run): void => {
      if (best !== null && epoch < epochs && epoch - best.epoch >= patience) run.stop(reason(best, options));
    };
    // A run that ended so and is resumed has nothing left to do.
    hooks.onTrainBegin.tap(name, (run) => stopWhenDue(run.resumedFrom, run));
    hooks.onEpochEnd.tap(name, (metrics, run) => {
      const evaluation = metrics[split];
      if (!evaluation) return;
      const { value, better } = judgedBy(evaluation, metric, options.better);
      best = improve(best, { epoch: metrics.epoch, value }, { better, minDelta });
      stopWhenDue(metrics.epoch, run);
    });
    return {
      save: () => ({ best }),
      load: (state) => {
        best = saved.parse(state).best;
      },
    };
  },
});

/** Why a run was stopped. */
export const reason = ({ epoch, value }: Best, { split, metric, patience, minDelta }: Options): string =>
  `${name}: ${metric} on ${split} has not improved${minDelta > 0 ? ` by more than ${minDelta}` : ''} ` +
  `in ${patience} epochs since epoch ${epoch} (${Number(value.toPrecision(4))})`;
