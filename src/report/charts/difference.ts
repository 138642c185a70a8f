import type { TopLevelSpec } from 'vega-lite';
import { type Spread, spreadOf } from '../../metrics/statistics.ts';
import type { ClassBin } from '../class-bins.ts';
import { pairRuns, type RunGroup } from '../methods.ts';
import { wrappedNames } from './labels.ts';
import { binAccuracy } from './per-class.ts';
import { methodColour } from './theme.ts';

/** Per bin of classes the difference to the baseline, of each seed that both have. */
export function binDifferences(
  group: Pick<RunGroup, 'runs'>,
  baseline: Pick<RunGroup, 'runs'>,
  bins: readonly ClassBin[],
): (Spread | null)[] {
  const pairs = pairRuns(group, baseline);
  return bins.map((bin) =>
    spreadOf(
      pairs.map(([run, other]) => {
        const ours = binAccuracy({ runs: [run] }, bin);
        const theirs = binAccuracy({ runs: [other] }, bin);
        return ours && theirs ? ours.mean - theirs.mean : null;
      }),
    ),
  );
}

/**
 * Difference of a method to the baseline per class, in points, classes from head to tail.
 *
 * @param limit - Both ends of the axis, in points: one for all methods, so that panels compare.
 */
export function differenceSpec(
  differences: readonly (Spread | null)[],
  bins: readonly ClassBin[],
  index: number,
  limit: number,
): TopLevelSpec {
  const labelOf = ({ label, detail }: ClassBin): string => `${label} · ${detail}`;
  const names = wrappedNames(bins.map(labelOf), 26);
  const values = bins.flatMap((bin, b) => {
    const difference = differences[b];
    if (!difference) return [];
    const value = 100 * difference.mean;
    const sd = 100 * (difference.sd ?? 0);
    return [{ label: names.of(labelOf(bin)), value, low: value - sd, high: value + sd }];
  });
  const x = {
    field: 'value',
    type: 'quantitative',
    title: 'points',
    scale: { domain: [-limit, limit], nice: false },
    axis: {
      grid: true,
      values: [-limit, -limit / 2, 0, limit / 2, limit],
      labelExpr: "datum.value > 0 ? '+' + datum.label : datum.label",
    },
  };
  return {
    data: { values },
    width: 190,
    height: { step: Math.max(19, names.height) },
    encoding: {
      y: { field: 'label', type: 'nominal', sort: null, title: null, axis: { ...names.axis, domain: false } },
    },
    layer: [
      { mark: { type: 'bar', height: { band: 0.7 }, fill: methodColour(index) }, encoding: { x } },
      {
        transform: [{ filter: 'datum.high - datum.low > 1e-6' }],
        mark: { type: 'rule', stroke: 'var(--ink)', strokeWidth: 1.25 },
        encoding: { x: { ...x, field: 'low' }, x2: { field: 'high' } },
      },
      {
        data: { values: [{}] },
        mark: { type: 'rule', stroke: 'var(--muted)' },
        encoding: { x: { datum: 0 }, y: null },
      },
    ],
  } as TopLevelSpec;
}

/** The smallest round number of points that holds every bar. */
export function differenceLimit(all: readonly (readonly (Spread | null)[])[]): number {
  const largest = Math.max(0, ...all.flat().map((spread) => (spread ? Math.abs(spread.mean) + (spread.sd ?? 0) : 0)));
  const points = 100 * largest;
  return [2, 5, 10, 20, 40, 60].find((limit) => points <= limit) ?? 100;
}
