import type { TopLevelSpec } from 'vega-lite';
import type { ConfusionCount } from '../../metrics/types.ts';
import type { ClassBin } from '../class-bins.ts';
import { wrappedNames } from './labels.ts';

/** Share of the images of bin i that were predicted as bin j, `[bins][bins]`; null in the row of a bin without images. */
export function confusionShares(confusion: readonly ConfusionCount[], bins: readonly ClassBin[]): (number | null)[][] {
  const binOf = new Map(bins.flatMap(({ members }, bin) => members.map((label) => [label, bin] as const)));
  const counts = bins.map(() => bins.map(() => 0));
  for (const [label, predicted, count] of confusion) counts[binOf.get(label)!]![binOf.get(predicted)!]! += count;
  return counts.map((row) => {
    const total = row.reduce((a, b) => a + b, 0);
    return row.map((count) => (total === 0 ? null : count / total));
  });
}

/** A confusion matrix, rows the true class, columns the predicted one, both from head to tail. Cells in percent of the row. */
export function confusionSpec(confusion: readonly ConfusionCount[], bins: readonly ClassBin[]): TopLevelSpec {
  const names = wrappedNames(
    bins.map(({ label }) => label),
    20,
  );
  const values = confusionShares(confusion, bins).flatMap((row, i) =>
    row.flatMap((share, j) =>
      share === null
        ? []
        : [{ true: names.of(bins[i]!.label), predicted: bins[j]!.label, share: 100 * share, right: i === j }],
    ),
  );
  const axis = { labelLimit: 0, labelFontSize: 10, domain: false, labelOverlap: false };
  const sort = bins.map(({ label }) => label);
  const step = Math.max(bins.length <= 12 ? 25 : 15, names.height);
  return {
    data: { values },
    width: { step },
    height: { step },
    encoding: {
      x: {
        field: 'predicted',
        type: 'nominal',
        sort,
        title: 'predicted',
        axis: { ...axis, orient: 'top', labelAngle: -50 },
      },
      y: { field: 'true', type: 'nominal', sort: sort.map(names.of), title: 'true', axis: { ...axis, ...names.axis } },
    },
    layer: [
      {
        mark: { type: 'rect', stroke: 'var(--grid)', strokeWidth: 0.5 },
        encoding: {
          fill: { condition: { test: 'datum.right', value: 'var(--heat)' }, value: 'var(--wrong)' },
          fillOpacity: { field: 'share', type: 'quantitative', scale: { domain: [0, 100], range: [0, 1] } },
        },
      },
      ...(bins.length <= 12
        ? [
            {
              transform: [{ filter: 'datum.share >= 0.5' }],
              mark: { type: 'text', fontSize: 9.5 },
              encoding: {
                text: { field: 'share', type: 'quantitative', format: '.0f' },
                fill: { condition: { test: 'datum.share > 55', value: 'var(--on-heat)' }, value: 'var(--ink)' },
              },
            },
          ]
        : []),
    ],
  } as TopLevelSpec;
}
