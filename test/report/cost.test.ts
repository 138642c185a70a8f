import { expect, test } from 'vitest';
import { compareRuns } from '../../src/report/compare.ts';
import { resultsCsv } from '../../src/report/csv.ts';
import { resultsDocument } from '../../src/report/document.ts';
import { runTable } from '../../src/report/page/settings.ts';
import { madeUpRun } from './in-memory-runs.ts';

test('what a method costs: parameters, epochs, seconds', () => {
  const of = (method: string, parameters?: { trained: number; all: number }) =>
    madeUpRun(method, 1, [9, 6, 3], { summary: parameters ? { parameters } : {} });
  const runs = [of('ERM', { trained: 1234, all: 1234 }), of('Head', { trained: 50, all: 5_000_000 }), of('Old')];
  const comparison = compareRuns({ runs, leftOut: [] });
  const { text } = runTable(comparison);
  for (const cell of ['1,234, all trained', '5,000,000, 50 trained', 'Epochs', '11 s']) expect(text).toContain(cell);
  expect(resultsDocument(comparison).methods.map(({ parameters }) => parameters)).toEqual([
    { trained: 1234, all: 1234 },
    { trained: 50, all: 5_000_000 },
    null,
  ]);
  const [head, ...rows] = resultsCsv(comparison).trimEnd().split('\r\n');
  const at = head!.split(',').indexOf('parameters');
  expect(rows.map((row) => row.split(',').slice(at, at + 3))).toEqual([
    ['1234', '1234', '11'],
    ['5000000', '50', '11'],
    ['', '', '11'],
  ]);
});
