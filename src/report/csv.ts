import { furtherNames } from '../metrics/further.ts';
import { csvTable } from '../util/csv.ts';
import type { Comparison } from './compare.ts';
import { figures, snake } from './figures.ts';
import { pluginFigureNames } from './further.ts';

const columns = [
  'method',
  'seed',
  'subset_seed',
  'epochs',
  'last_epoch',
  ...figures.map(({ key }) => snake(key)),
  'worst_class_name',
  'best_on_test_optimistic_accuracy',
  'best_on_test_optimistic_balanced_accuracy',
  'best_on_test_optimistic_epoch',
  'chosen_on_validation_accuracy',
  'chosen_on_validation_balanced_accuracy',
  'chosen_on_validation_epoch',
  'last_five_median_accuracy',
  'last_five_median_balanced_accuracy',
  'parameters',
  'parameters_trained',
  'macs',
  'seconds',
  'backend',
  'step_mode',
  'precision',
  'subset_hash',
  'config_hash',
  'run',
];

/**
 * `results.csv` (RFC 4180): one row a run, shares in 0…1, an empty cell where there is no figure. Behind the columns that are
 * always there come those of `further/…` (docs/metrics.md) and of plugins' `figures/…` that at least one run has.
 */
export function resultsCsv({ methods }: Comparison): string {
  const further = furtherNames.filter((name) => methods.some((method) => method.further.has(name)));
  const own = pluginFigureNames(methods);
  const rows = methods.flatMap(({ label, runs }) =>
    runs.map(({ path, summary }) => [
      label,
      summary.seed,
      summary.subsetSeed,
      summary.epochs,
      summary.lastEpoch,
      ...figures.map(({ of }) => of(summary.last)),
      summary.last.worstClass.name,
      summary.bestOnTest?.accuracy,
      summary.bestOnTest?.balancedAccuracy,
      summary.bestOnTest?.epoch,
      summary.chosenOnValidation?.accuracy,
      summary.chosenOnValidation?.balancedAccuracy,
      summary.chosenOnValidation?.epoch,
      summary.lastFiveMedian?.accuracy,
      summary.lastFiveMedian?.balancedAccuracy,
      summary.parameters?.all,
      summary.parameters?.trained,
      summary.macs,
      summary.seconds,
      summary.backend,
      summary.stepMode,
      summary.precision,
      summary.subsetHash,
      summary.configHash,
      path,
      ...further.map((name) => summary.figures?.[name]),
      ...own.map((name) => new Map(Object.entries(summary.last.figures ?? {})).get(name)),
    ]),
  );
  const named = [...further.map((name) => `further/${name}`), ...own.map((name) => `figures/${name}`)];
  return csvTable([[...columns, ...named], ...rows]);
}

const perClassColumns = [
  'method',
  'class',
  'label',
  'training_images',
  'seeds',
  'accuracy',
  'accuracy_sd',
  'difference',
  'difference_sd',
  'test_images',
  'accuracy_low',
  'accuracy_high',
];

/** `per-class.csv`: a row for each method and class, shares in 0…1; mean and sample standard deviation over the seeds, Wilson's 95% interval. */
export const perClassCsv = ({ methods, classes, classCounts }: Comparison): string =>
  csvTable([
    perClassColumns,
    ...methods.flatMap(({ label: method, perClass, difference, testCounts, intervals }) =>
      classes.map((name, label) => {
        const against = difference?.perClass[label];
        const own = perClass[label];
        return [
          ...[method, name, label, classCounts[label], own?.n, own?.mean, own?.sd, against?.mean, against?.sd],
          ...[testCounts?.[label], ...(intervals?.[label] ?? [null, null])],
        ];
      }),
    ),
  ]);
