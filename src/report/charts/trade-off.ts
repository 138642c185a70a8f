import type { TopLevelSpec } from 'vega-lite';
import type { ClassBin } from '../class-bins.ts';
import type { MethodResult } from '../compare.ts';
import { binAccuracy } from './per-class.ts';
import { chartWidth, methodColour } from './theme.ts';

/** Methods that are all named in a chart of points. */
const NAMED = 60;

/** Methods to which no other is equal in both accuracy and time and better in one, the fastest first. */
export function paretoFront<M extends Pick<MethodResult, 'figures' | 'seconds'>>(methods: readonly M[]): M[] {
  const [balanced, seconds] = [
    ({ figures }: M) => figures.balancedAccuracy!.mean,
    ({ seconds: time }: M) => time.mean,
  ] as const;
  const beats = (a: M, b: M): boolean =>
    balanced(a) >= balanced(b) && seconds(a) <= seconds(b) && (balanced(a) > balanced(b) || seconds(a) < seconds(b));
  return methods
    .filter((method) => !methods.some((other) => beats(other, method)))
    .sort((a, b) => seconds(a) - seconds(b));
}

/** Balanced accuracy over the wall time of a run; a line joins the methods of the front. */
export function tradeOffSpec(methods: readonly MethodResult[]): TopLevelSpec {
  const front = new Set(paretoFront(methods));
  const all = methods.map(({ seconds }) => seconds.mean);
  const middle = (Math.min(...all) + Math.max(...all)) / 2;
  const values = methods.map((method, index) => ({
    label: method.label,
    seconds: method.seconds.mean,
    accuracy: 100 * method.figures.balancedAccuracy!.mean,
    colour: methodColour(index),
    isFront: front.has(method),
    isRight: method.seconds.mean > middle,
  }));
  const named = methods.length > NAMED ? ' && datum.isFront' : '';
  const scale = { zero: false, padding: 24 };
  return {
    data: { values },
    width: chartWidth,
    height: 300,
    encoding: {
      x: {
        field: 'seconds',
        type: 'quantitative',
        title: 'seconds of a run',
        scale,
        axis: { grid: true, tickCount: 8 },
      },
      y: {
        field: 'accuracy',
        type: 'quantitative',
        title: 'balanced accuracy, %',
        scale,
        axis: { grid: true, tickCount: 5 },
      },
    },
    layer: [
      { transform: [{ filter: 'datum.isFront' }], mark: { type: 'line', stroke: 'var(--muted)', strokeDash: [4, 3] } },
      {
        mark: { type: 'point', filled: true, size: 80, opacity: 1 },
        encoding: { color: { field: 'colour', type: 'nominal', scale: null } },
      },
      {
        // Names of many methods would lie on each other: those of the front are told.
        transform: [{ filter: `!datum.isRight${named}` }],
        mark: { type: 'text', align: 'left', dx: 8, dy: -7 },
        encoding: { text: { field: 'label' } },
      },
      {
        // Right of its point a name would leave the chart.
        transform: [{ filter: `datum.isRight${named}` }],
        mark: { type: 'text', align: 'right', dx: -8, dy: -7 },
        encoding: { text: { field: 'label' } },
      },
    ],
  } as TopLevelSpec;
}

/** Accuracy over the number of training images, a point for each class or bin of classes and method. */
export function countAccuracySpec(
  methods: readonly MethodResult[],
  bins: readonly ClassBin[],
  classCounts: readonly number[],
): TopLevelSpec {
  const values = methods.flatMap((method, index) =>
    bins.flatMap((bin) => {
      const accuracy = binAccuracy(method, bin);
      const images = bin.members.reduce((sum, label) => sum + classCounts[label]!, 0) / bin.members.length;
      // A class without training images shows as one half.
      return accuracy
        ? [
            {
              method: method.label,
              images: Math.max(images, 0.5),
              accuracy: 100 * accuracy.mean,
              colour: methodColour(index),
            },
          ]
        : [];
    }),
  );
  return {
    data: { values },
    width: chartWidth,
    height: 260,
    encoding: {
      x: {
        field: 'images',
        type: 'quantitative',
        title: 'training images of a class',
        scale: { type: 'log', nice: false, padding: 12 },
        axis: { grid: true, format: ',~r', tickCount: 6 },
      },
      y: {
        field: 'accuracy',
        type: 'quantitative',
        title: 'test accuracy, %',
        scale: { domain: [0, 100] },
        axis: { grid: true, tickCount: 5 },
      },
      color: { field: 'colour', type: 'nominal', scale: null },
      detail: { field: 'method' },
    },
    layer: [
      { mark: { type: 'line', strokeWidth: 1.25, opacity: 0.6 } },
      { mark: { type: 'point', filled: true, size: 40, opacity: 1 } },
    ],
  } as TopLevelSpec;
}
