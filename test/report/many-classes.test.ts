import { expect, test } from 'vitest';
import { createEvaluator } from '../../src/metrics/evaluator.ts';
import { confusionShares } from '../../src/report/charts/confusion.ts';
import { classBins } from '../../src/report/class-bins.ts';
import { compareRuns } from '../../src/report/compare.ts';
import { resultsDocument } from '../../src/report/document.ts';
import { latexTable } from '../../src/report/latex.ts';
import { confusionsTable } from '../../src/report/page/tables.ts';
import { markdownTables } from '../../src/report/table.ts';
import { madeUpRun } from './in-memory-runs.ts';

const C = 8142;
const classes = Array.from({ length: C }, (_, c) => `species ${c}`);
const classCounts = classes.map((_, c) => Math.max(2, 1000 - c));

/** A run whose images were taken as the pairs of true and predicted class say. */
function run(method: string, pairs: readonly (readonly [number, number])[]) {
  const evaluator = createEvaluator({ classes, classCounts });
  for (const [label, predicted] of pairs) {
    const logits = new Float32Array(C);
    logits[predicted] = 1;
    evaluator.add(logits, Int32Array.of(label));
  }
  const made = madeUpRun(method, 1, [9, 5, 1], { summary: { classes, classCounts } });
  return { ...made, summary: { ...made.summary, last: evaluator.result() } };
}

const comparison = compareRuns({
  runs: [
    run('ERM', [
      [8141, 0],
      [8141, 0],
      [8141, 8141],
      [7, 9],
    ]),
    run('Remix', [
      [8141, 0],
      [7, 7],
      [0, 0],
    ]),
  ],
  leftOut: [],
});

test('of 8,142 classes the page names the pairs that are confused most, of each method', () => {
  const rows = [...confusionsTable(comparison)!.text.matchAll(/<tr><th scope="row">.*?<\/tr>/g)].map(([row]) =>
    row
      .replace(/<[^>]*>/g, ' ')
      .trim()
      .split(/ {2,}/),
  );
  expect(rows).toEqual([
    ['species 8141', 'species 0', '2', '1'],
    ['species 7', 'species 9', '1', '0'],
  ]);
});

test('tables for a paper have no columns of single classes', () => {
  expect(latexTable(comparison).match(/begin\{tabular\}/g)).toHaveLength(1);
  expect(markdownTables(comparison)).not.toMatch(/each class|species/);
});

test('a method without a confusion matrix, and none that is confused', () => {
  const [erm, remix] = comparison.methods;
  const without = { ...comparison, methods: [erm!, { ...remix!, confusion: null }] };
  expect(confusionsTable(without)!.text).toContain('<td>2</td><td>–</td>');
  expect(confusionsTable({ ...comparison, methods: [{ ...erm!, confusion: [[3, 3, 5]] }] })).toBeNull();
});

test('bins of classes and report.json take what occurs', () => {
  const [erm] = comparison.methods;
  const shares = confusionShares(erm!.confusion!, classBins(classes, classCounts));
  expect(shares[0]!.slice(0, 2)).toEqual([1, 0]);
  expect([shares[9]![0], shares[9]![9]]).toEqual([2 / 3, 1 / 3]);
  expect(shares[5]).toEqual(new Array(10).fill(null));
  expect(resultsDocument(comparison).methods[1]!.confusion).toEqual([
    [0, 0, 1],
    [7, 7, 1],
    [8141, 0, 1],
  ]);
});
