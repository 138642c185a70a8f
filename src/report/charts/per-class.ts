import type { TopLevelSpec } from 'vega-lite';
import { mean, type Spread, spreadOf } from '../../metrics/statistics.ts';
import { type ClassBin, classBins } from '../class-bins.ts';
import type { Comparison, MethodResult } from '../compare.ts';
import { BY_LINES, wrappedNames } from './labels.ts';
import { classAxis } from './long-tail.ts';
import { chartWidth, methodColour, methodDash, methodsTogether } from './theme.ts';

/** Accuracy of a method in a bin of classes, over its seeds. */
export function binAccuracy({ runs }: Pick<MethodResult, 'runs'>, { members }: ClassBin): Spread | null {
  return spreadOf(
    runs.map(({ summary }) => {
      const tested = members.flatMap((label) => summary.last.perClass[label] ?? []);
      return tested.length === 0 ? null : mean(tested);
    }),
  );
}

/**
 * Accuracy per class of every method, classes from head to tail: grouped bars; lines over bins of classes where there
 * are many classes; a grid of shaded figures where there are many methods.
 */
export function perClassSpec({ classes, classCounts, methods }: Comparison): TopLevelSpec {
  const bins = classBins(classes, classCounts);
  const values = methods.flatMap((method, i) =>
    bins.flatMap((bin, b) => {
      const accuracy = binAccuracy(method, bin);
      if (!accuracy) return [];
      const { mean, sd } = accuracy;
      return [
        {
          method: method.label,
          index: i,
          bin: b,
          label: `${bin.label}\n${bin.detail}`,
          accuracy: 100 * mean,
          low: 100 * Math.max(0, mean - (sd ?? 0)),
          high: 100 * Math.min(1, mean + (sd ?? 0)),
        },
      ];
    }),
  );
  const labels = methods.map(({ label }) => label);
  const binned = bins.some(({ members }) => members.length > 1);
  const x = {
    field: 'label',
    type: 'nominal',
    sort: null,
    title: binned ? 'classes by number of training images (rank, images)' : null,
    axis: {
      ...classAxis(bins.map(({ label, detail }) => (label.length > detail.length ? label : detail))),
      ...twoLines,
    },
  };
  const y = {
    field: 'accuracy',
    type: 'quantitative',
    title: 'test accuracy, %',
    scale: { domain: [0, 100] },
    axis: { grid: true, tickCount: 5 },
  };
  const color = {
    field: 'method',
    type: 'nominal',
    scale: { domain: labels, range: labels.map((_, i) => methodColour(i)) },
  };
  const shared = { data: { values }, width: chartWidth, height: 280 };

  if (methods.length > methodsTogether) return heatmap(values, labels, x);
  if (binned) {
    const dash = {
      field: 'method',
      type: 'nominal',
      scale: { domain: labels, range: labels.map((_, i) => methodDash(i)) },
    };
    return {
      ...shared,
      encoding: { x: { ...x, axis: { ...x.axis, grid: false } }, y, color },
      layer: [
        { mark: { type: 'errorbar', thickness: 1 }, encoding: { y: { ...y, field: 'low' }, y2: { field: 'high' } } },
        { mark: { type: 'line', strokeWidth: 2 }, encoding: { strokeDash: dash } },
        { mark: { type: 'point', filled: true, size: 36 } },
      ],
    } as TopLevelSpec;
  }
  return {
    ...shared,
    encoding: { x, xOffset: { field: 'method', scale: { domain: labels, paddingInner: 0.12, paddingOuter: 0.4 } } },
    layer: [
      { mark: { type: 'bar' }, encoding: { y, color } },
      {
        transform: [{ filter: 'datum.high - datum.low > 1e-6' }],
        mark: { type: 'rule', strokeWidth: 1.25, stroke: 'var(--ink)' },
        encoding: { y: { ...y, field: 'low' }, y2: { field: 'high' } },
      },
    ],
  } as TopLevelSpec;
}

/** Second line of an axis label: the training images. */
const twoLines = { labelExpr: BY_LINES, labelLineHeight: 14 };

function heatmap(values: { label: string; method: string }[], labels: string[], x: object): TopLevelSpec {
  const columns = [...new Set(values.map(({ label }) => label))];
  const width = Math.max(640, columns.length * 40);
  const isLevel =
    classAxis(
      columns.flatMap((label) => label.split('\n')),
      width / 2,
    ).labelAngle === 0;
  const names = wrappedNames(labels, 36);
  return {
    data: { values: values.map((value) => ({ ...value, method: names.of(value.method) })) },
    width,
    height: { step: Math.max(20, names.height) },
    encoding: {
      x: {
        ...x,
        axis: {
          ...(x as { axis: object }).axis,
          orient: 'top',
          domain: false,
          labelPadding: isLevel ? 20 : 16,
          labelAngle: isLevel ? 0 : -35,
        },
      },
      y: {
        field: 'method',
        type: 'nominal',
        sort: null,
        scale: { domain: labels.map(names.of) },
        title: null,
        axis: { ...names.axis, domain: false },
      },
    },
    layer: [
      {
        mark: { type: 'rect', fill: 'var(--heat)' },
        encoding: {
          fillOpacity: { field: 'accuracy', type: 'quantitative', scale: { domain: [0, 100], range: [0, 0.95] } },
        },
      },
      {
        mark: { type: 'text' },
        encoding: {
          text: { field: 'accuracy', type: 'quantitative', format: '.0f' },
          fill: { condition: { test: 'datum.accuracy > 55', value: 'var(--on-heat)' }, value: 'var(--ink)' },
        },
      },
    ],
  } as TopLevelSpec;
}
