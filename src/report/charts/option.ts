import type { TopLevelSpec } from 'vega-lite';
import type { Spread } from '../../metrics/statistics.ts';
import type { Comparison, MethodResult } from '../compare.ts';
import { optionMissing } from '../errors.ts';
import { type FigureKey, figures } from '../figures.ts';
import { fingerprint } from '../settings.ts';
import { methodColour } from './theme.ts';

/** A method over the values of one of its options. */
interface Series {
  label: string;
  points: { value: number; method: MethodResult }[];
}

/** What is shown: all classes alike, and the rare ones. */
const shown: readonly FigureKey[] = ['balancedAccuracy', 'few'];

/**
 * Accuracy of the last epoch over the values of an option, mean and standard deviation over the seeds; methods without the option as
 * lines across.
 *
 * @param option - key of the resolved config: `plugins.remix.tau`
 * @throws {TailmixError} FIGURE_OPTION where fewer than two values of it occur
 */
export function optionSpec({ methods }: Comparison, option: string): TopLevelSpec {
  const series = seriesOf(methods, option);
  if (!series.some(({ points }) => points.length > 1)) throw optionMissing(option, methods.flatMap(keysOf));
  const without = methods.filter(({ settings }) => !settings.has(option));
  const labels = [...series, ...without].map(({ label }) => label);
  const color = {
    field: 'method',
    type: 'nominal',
    scale: { domain: labels, range: labels.map((_, i) => methodColour(i + 1)) },
  };
  const panels = shown.flatMap((key) => {
    const values = series.flatMap(({ label, points }) =>
      points.flatMap(({ value, method }) => valuesOf(method.figures[key], { method: label, value })),
    );
    if (values.length === 0) return [];
    const lines = without.flatMap((method) => valuesOf(method.figures[key], { method: method.label }));
    return [panel(figures.find((figure) => figure.key === key)!.title, option, values, lines, color)];
  });
  return { hconcat: panels } as TopLevelSpec;
}

const keysOf = ({ settings }: MethodResult): string[] =>
  [...settings]
    .filter(([key, value]) => key.startsWith('plugins.') && Number.isFinite(Number(value)))
    .map(([key]) => key);

function seriesOf(methods: readonly MethodResult[], option: string): Series[] {
  const series = new Map<string, Series>();
  for (const method of methods) {
    const value = Number(method.settings.get(option) ?? Number.NaN);
    if (!Number.isFinite(value)) continue;
    const key = fingerprint(new Map([...method.settings].filter(([name]) => name !== option)));
    const one = series.get(key) ?? { label: method.runs[0]!.summary.method, points: [] };
    one.points.push({ value, method });
    series.set(key, one);
  }
  for (const { points } of series.values()) points.sort((a, b) => a.value - b.value);
  return [...series.values()];
}

function valuesOf<T extends object>(spread: Spread | null, about: T) {
  if (!spread) return [];
  const sd = spread.sd ?? 0;
  return [{ ...about, mean: 100 * spread.mean, low: 100 * (spread.mean - sd), high: 100 * (spread.mean + sd) }];
}

function panel(title: string, option: string, values: object[], lines: object[], color: object) {
  const y = {
    type: 'quantitative',
    title: null,
    scale: { zero: false },
    axis: { grid: true, labelExpr: "datum.label + ' %'" },
  };
  const x = { field: 'value', type: 'quantitative', title: option.replace(/^plugins\./, ''), scale: { zero: false } };
  return {
    title,
    width: 320,
    height: 200,
    data: { values },
    encoding: { color },
    layer: [
      { mark: { type: 'rule', opacity: 0.5 }, encoding: { x, y: { ...y, field: 'low' }, y2: { field: 'high' } } },
      { mark: { type: 'line', point: true, strokeWidth: 1.75 }, encoding: { x, y: { ...y, field: 'mean' } } },
      { data: { values: lines }, mark: { type: 'rule', strokeDash: [5, 4] }, encoding: { y: { ...y, field: 'mean' } } },
    ],
  };
}
