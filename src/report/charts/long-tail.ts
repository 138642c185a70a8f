import type { TopLevelSpec } from 'vega-lite';
import { groupNames, groupOf } from '../../metrics/groups.ts';
import type { GroupRule } from '../../metrics/types.ts';
import { byClassCount, classBins } from '../class-bins.ts';
import type { Comparison } from '../compare.ts';
import { chartWidth } from './theme.ts';

/** Fill of the three groups. */
export const groupColours = { many: 'var(--many)', medium: 'var(--medium)', few: 'var(--few)' };

/** Training images per class, from head to tail, by group: bars, and with many classes a line over the rank. */
export function longTailSpec({
  classes,
  classCounts,
  groups,
}: Pick<Comparison, 'classes' | 'classCounts' | 'groups'>): TopLevelSpec {
  const colour = {
    field: 'group',
    type: 'nominal',
    scale: { domain: [...groupNames], range: groupNames.map((name) => groupColours[name]) },
  } as const;
  const count = { field: 'count', type: 'quantitative', title: 'training images' } as const;
  const single = classBins(classes, classCounts);
  if (single.every(({ members }) => members.length === 1)) {
    const values = single.map(({ label, detail, members }) => ({
      label,
      detail,
      count: classCounts[members[0]!]!,
      group: groupOf(classCounts[members[0]!]!, groups),
    }));
    const x = { field: 'label', type: 'nominal', sort: null, title: null, axis: classAxis(values.map((v) => v.label)) };
    return {
      data: { values },
      width: chartWidth,
      height: 220,
      encoding: { x, y: count },
      layer: [
        { mark: { type: 'bar', width: { band: 0.72 } }, encoding: { color: colour } },
        { mark: { type: 'text', dy: -7, fill: 'var(--muted)' }, encoding: { text: { field: 'detail' } } },
      ],
    } as TopLevelSpec;
  }
  return {
    data: { values: steps(classCounts, groups) },
    width: chartWidth,
    height: 220,
    mark: { type: 'area', interpolate: 'step-after' },
    encoding: {
      x: { field: 'rank', type: 'quantitative', title: 'class, by number of training images', scale: { nice: false } },
      y: {
        ...count,
        scale: { type: 'log', domain: [0.5, Math.max(1, ...classCounts)], nice: false },
        axis: { grid: true, format: ',', values: [1, 10, 100, 1000, 10_000, 100_000] },
      },
      y2: { datum: 0.5 },
      color: colour,
    },
  } as TopLevelSpec;
}

/** Corners of the counts over the rank; neighbours of one count need two. A class without images shows as one half. */
function steps(classCounts: readonly number[], rule: GroupRule) {
  const order = byClassCount(classCounts);
  const countAt = (rank: number) => classCounts[order[rank] ?? -1];
  return order.flatMap((_, rank) => {
    const count = countAt(rank)!;
    const group = groupOf(count, rule);
    const corner = (at: number) => ({ rank: at, count: Math.max(count, 0.5), group });
    return [
      ...(countAt(rank - 1) === count ? [] : [corner(rank)]),
      ...(countAt(rank + 1) === count ? [] : [corner(rank + 1)]),
    ];
  });
}

/** Axis of class names: level where they fit, else slanted. */
export function classAxis(labels: readonly string[], width = chartWidth) {
  const level = Math.max(...labels.map((label) => label.length)) * 6.2 < width / labels.length;
  return { labelAngle: level ? 0 : -35, labelLimit: 0, labelOverlap: false, labelPadding: 6 };
}
