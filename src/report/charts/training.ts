import type { TopLevelSpec } from 'vega-lite';
import type { MethodResult } from '../compare.ts';
import type { curves } from '../curves.ts';
import { methodColour, methodDash } from './theme.ts';

/** A method and its place in the table, which gives its colour. */
export interface PlacedMethod {
  method: MethodResult;
  index: number;
}

/**
 * A curve over the epochs for each method: mean over the seeds, with a band of one standard deviation.
 *
 * @returns null when no method has a figure.
 */
export function trainingSpec(
  { key, share }: (typeof curves)[number],
  methods: readonly PlacedMethod[],
  size: { width: number; height: number },
): TopLevelSpec | null {
  const scale = share ? 100 : 1;
  const values = methods.flatMap(({ method }) =>
    method.curve.flatMap((point) => {
      const value = point[key];
      if (!value) return [];
      const sd = value.sd ?? 0;
      return [
        {
          method: method.label,
          epoch: point.epoch,
          value: scale * value.mean,
          low: scale * (share ? Math.max(0, value.mean - sd) : value.mean - sd),
          high: scale * (share ? Math.min(1, value.mean + sd) : value.mean + sd),
        },
      ];
    }),
  );
  if (values.length === 0) return null;
  const domain = methods.map(({ method }) => method.label);
  const single = new Set(values.map(({ epoch }) => epoch)).size === 1;
  const y = {
    type: 'quantitative',
    title: null,
    scale: { zero: false },
    axis: { grid: true, tickCount: 5, format: '.4~r', ...(share ? { labelExpr: "datum.label + ' %'" } : {}) },
  };
  return {
    data: { values },
    ...size,
    encoding: {
      x: {
        field: 'epoch',
        type: 'quantitative',
        title: 'epoch',
        scale: { nice: false, zero: false },
        axis: { tickMinStep: 1, tickCount: 6, format: 'd' },
      },
      color: {
        field: 'method',
        type: 'nominal',
        scale: { domain, range: methods.map(({ index }) => methodColour(index)) },
      },
    },
    layer: [
      {
        transform: [{ filter: 'datum.high - datum.low > 1e-6' }],
        mark: { type: 'area', opacity: 0.16 },
        encoding: { y: { ...y, field: 'low' }, y2: { field: 'high' } },
      },
      {
        mark: { type: 'line', strokeWidth: 1.75, point: single },
        encoding: {
          y: { ...y, field: 'value' },
          strokeDash: {
            field: 'method',
            type: 'nominal',
            scale: { domain, range: methods.map(({ index }) => methodDash(index)) },
          },
        },
      },
    ],
  } as TopLevelSpec;
}
