import { expect, test } from 'vitest';
import { compareRuns } from '../../src/report/compare.ts';
import { perClassCsv } from '../../src/report/csv.ts';
import { perClassTable, worstClassesTable } from '../../src/report/page/tables.ts';
import { madeUpRun } from './in-memory-runs.ts';

const compare = (...runs: Parameters<typeof compareRuns>[0]['runs']) => compareRuns({ runs, leftOut: [] });
const two = compare(madeUpRun('ERM', 1, [10, 6, 2]), madeUpRun('ERM', 2, [10, 8, 0]));

// SciPy: binomtest(k, 10).proportion_ci(method='wilson') of k = 10, 7 and 1.
const wilson = [
  [0.7224672, 1],
  [0.3967781, 0.8922087],
  [0.0178762, 0.40415],
];

test('intervals of the mean over the seeds count the test images once', () => {
  const [method] = two.methods;
  expect(method!.testCounts).toEqual([10, 10, 10]);
  expect(method!.intervals).toEqual(wilson.map((ends) => ends.map((end) => expect.closeTo(end, 6))));
});

test('stand beside each class on the page', () => {
  const text = perClassTable(two).text;
  expect(text).toContain('<td>70.0 ± 14.1 <small>(39.7 to 89.2)</small></td>');
  expect(text).toContain('95 % interval (Wilson)');
});

test('not beside bins of classes, but beside the worst of many', () => {
  const classes = Array.from({ length: 30 }, (_, c) => `class ${c}`);
  const many = {
    ...two,
    classes,
    classCounts: classes.map((_, c) => 100 - c),
    methods: two.methods.map((method) => ({
      ...method,
      perClass: classes.map((_, c) => ({ mean: c === 3 ? 0.7 : 0.9, sd: null, n: 1 })),
      intervals: classes.map((_, c): [number, number] => (c === 3 ? [0.4, 0.9] : [0.6, 0.98])),
    })),
  };
  expect(perClassTable(many).text).not.toMatch(/Wilson|<small>/);
  expect(worstClassesTable(many)!.text).toContain('<td>70.0 <small>(40.0 to 90.0)</small></td>');
});

test('are left out where a run has no confusion matrix', () => {
  const run = madeUpRun('ERM', 1, [10, 6, 2]);
  const without = compare({ ...run, summary: { ...run.summary, last: { ...run.summary.last, confusion: null } } });
  expect(without.methods[0]).toMatchObject({ testCounts: null, intervals: null });
  expect(perClassTable(without).text).not.toMatch(/Wilson|<small>|NaN/);
  expect(perClassCsv(without).split('\r\n')[1]).toMatch(/,1,1,,,,,,$/);
});
