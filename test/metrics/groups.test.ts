import { expect, test } from 'vitest';
import { defaultGroups, describeGroups, groupOf } from '../../src/metrics/groups.ts';

test('both boundaries are medium-shot', () => {
  expect([101, 100, 20, 19, 0].map((count) => groupOf(count))).toEqual(['many', 'medium', 'medium', 'few', 'few']);
});

test('a rule without a medium group', () => {
  const rule = { manyAbove: 50, fewBelow: 51 };
  expect([51, 50].map((count) => groupOf(count, rule))).toEqual(['many', 'few']);
  expect(describeGroups(rule)).toBe(
    'many: classes with more than 50 training images, medium: none, few: fewer than 51',
  );
});

test('the rule in words', () => {
  expect(describeGroups(defaultGroups)).toBe(
    'many: classes with more than 100 training images, medium: 20 to 100, few: fewer than 20',
  );
  expect(describeGroups({ manyAbove: 7, fewBelow: 7 })).toBe(
    'many: classes with more than 7 training images, medium: exactly 7, few: fewer than 7',
  );
});

test.each([
  { manyAbove: 10, fewBelow: 12 },
  { manyAbove: Number.NaN, fewBelow: 12 },
])('a rule that puts a class into two groups is refused: %o', (rule) => {
  expect(() => groupOf(11, rule)).toThrow(expect.objectContaining({ code: 'METRICS_GROUPS', kind: 'config' }));
});
