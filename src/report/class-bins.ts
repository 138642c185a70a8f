import { grouped } from '../util/grouped.ts';

/** A class, or with many classes a run of neighbours by training count. */
export interface ClassBin {
  label: string;
  /** Training images: `5,000`, or for several classes `5,000–312`. */
  detail: string;
  /** Labels, from head to tail. */
  members: readonly number[];
}

/** Labels from the largest class to the smallest; equal counts in label order. */
export const byClassCount = (classCounts: readonly number[]): number[] =>
  classCounts.map((_, label) => label).sort((a, b) => classCounts[b]! - classCounts[a]! || a - b);

/**
 * What a chart over classes has on its axis, from head to tail: each class where there are at most `single`, else
 * `bins` bins of as equal a number of classes as possible.
 */
export function classBins(
  classes: readonly string[],
  classCounts: readonly number[],
  { single = 20, bins = 10 } = {},
): ClassBin[] {
  const order = byClassCount(classCounts);
  if (order.length <= single) {
    return order.map((label) => {
      const unique = classes.indexOf(classes[label]!) === classes.lastIndexOf(classes[label]!);
      return {
        label: unique ? classes[label]! : `${classes[label]} [${label}]`,
        detail: grouped(classCounts[label]!),
        members: [label],
      };
    });
  }
  return Array.from({ length: bins }, (_, b) => {
    const from = Math.round((b * order.length) / bins);
    const to = Math.round(((b + 1) * order.length) / bins);
    const members = order.slice(from, to);
    const [most, least] = [classCounts[members[0]!]!, classCounts[members.at(-1)!]!];
    return {
      label: `${from + 1}–${to}`,
      detail: most === least ? grouped(most) : `${grouped(most)}–${grouped(least)}`,
      members,
    };
  });
}

/** Classes as columns of a table, from head to tail; none where there are too many to stand alone. */
export function classColumns(classes: readonly string[], classCounts: readonly number[]): ClassBin[] {
  const bins = classBins(classes, classCounts);
  return bins.every(({ members }) => members.length === 1) ? bins : [];
}
