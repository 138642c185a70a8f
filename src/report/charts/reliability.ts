import type { TopLevelSpec } from 'vega-lite';
import type { ReliabilityBin } from '../../metrics/types.ts';
import { methodColour } from './theme.ts';

/** Accuracy of the predictions in each bin of confidence; on the diagonal a method is calibrated. */
export function reliabilitySpec(bins: readonly ReliabilityBin[], index: number): TopLevelSpec {
  const total = bins.reduce((sum, { count }) => sum + count, 0);
  const values = bins.flatMap(({ count, accuracy }, b) =>
    accuracy === null
      ? []
      : [
          {
            from: (100 * b) / bins.length,
            to: (100 * (b + 1)) / bins.length,
            accuracy: 100 * accuracy,
            share: count / total,
          },
        ],
  );
  const axis = { tickCount: 5, grid: false };
  const scale = { domain: [0, 100] };
  return {
    width: 190,
    height: 190,
    layer: [
      {
        data: { values },
        mark: { type: 'bar', fill: methodColour(index), stroke: methodColour(index), strokeWidth: 0.75 },
        encoding: {
          x: { field: 'from', type: 'quantitative', bin: 'binned', title: 'confidence, %', scale, axis },
          x2: { field: 'to' },
          y: { field: 'accuracy', type: 'quantitative', title: 'accuracy, %', scale, axis },
          fillOpacity: {
            field: 'share',
            type: 'quantitative',
            scale: { type: 'sqrt', domain: [0, 1], range: [0.15, 1] },
          },
        },
      },
      {
        data: { values: [{ x: 0 }, { x: 100 }] },
        mark: { type: 'line', stroke: 'var(--muted)', strokeDash: [4, 3], strokeWidth: 1 },
        encoding: {
          x: { field: 'x', type: 'quantitative', title: 'confidence, %' },
          y: { field: 'x', type: 'quantitative', title: 'accuracy, %' },
        },
      },
    ],
  } as TopLevelSpec;
}
