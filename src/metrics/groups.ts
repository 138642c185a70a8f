import { invalidGroupRule } from './errors.ts';
import type { GroupRule } from './types.ts';

/** The three groups, from head to tail. */
export const groupNames = ['many', 'medium', 'few'] as const;
export type GroupName = (typeof groupNames)[number];

/** More than 100, 20 to 100, fewer than 20 training images (Liu et al. 2019, OLTR). */
export const defaultGroups: GroupRule = Object.freeze({ manyAbove: 100, fewBelow: 20 });

/**
 * Group of a class by its number of training images. Both boundaries (100 and 20 by default) are medium-shot.
 *
 * @throws {TailmixError} METRICS_GROUPS when a class could be both many-shot and few-shot.
 */
export function groupOf(count: number, rule: GroupRule = defaultGroups): GroupName {
  if (!(rule.fewBelow <= rule.manyAbove + 1)) throw invalidGroupRule(rule);
  if (count > rule.manyAbove) return 'many';
  return count < rule.fewBelow ? 'few' : 'medium';
}

/** The rule in words, to be printed wherever a group is. */
export function describeGroups({ manyAbove, fewBelow }: GroupRule): string {
  const range = fewBelow === manyAbove ? `exactly ${fewBelow}` : `${fewBelow} to ${manyAbove}`;
  const medium = fewBelow > manyAbove ? 'medium: none' : `medium: ${range}`;
  return `many: classes with more than ${manyAbove} training images, ${medium}, few: fewer than ${fewBelow}`;
}
