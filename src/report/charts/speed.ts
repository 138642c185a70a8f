import type { TopLevelSpec } from 'vega-lite';
import type { Spread } from '../../metrics/statistics.ts';
import { wrappedNames } from './labels.ts';
import { methodColour } from './theme.ts';

/** One bar a method, with its figure. */
export function speedSpec(
  bars: readonly { label: string; value: Spread; text: string; index: number }[],
  title: string,
): TopLevelSpec {
  const names = wrappedNames(
    bars.map(({ label }) => label),
    30,
  );
  const values = bars.map(({ label, value, text, index }) => ({
    label: names.of(label),
    value: value.mean,
    text,
    colour: methodColour(index),
  }));
  return {
    data: { values },
    width: 260,
    height: { step: Math.max(24, names.height) },
    encoding: {
      y: { field: 'label', type: 'nominal', sort: null, title: null, axis: { ...names.axis, domain: false } },
      x: {
        field: 'value',
        type: 'quantitative',
        title,
        axis: { grid: true, tickCount: 4, format: ',~r' },
        scale: { zero: true },
      },
    },
    layer: [
      {
        mark: { type: 'bar', height: { band: 0.7 } },
        encoding: { fill: { field: 'colour', type: 'nominal', scale: null } },
      },
      { mark: { type: 'text', align: 'left', dx: 5, fill: 'var(--muted)' }, encoding: { text: { field: 'text' } } },
    ],
  } as TopLevelSpec;
}
