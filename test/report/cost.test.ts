import { expect, test } from 'vitest';
import type { RunSummary } from '../../src/metrics/types.ts';
import { compareRuns } from '../../src/report/compare.ts';
import { resultsCsv } from '../../src/report/csv.ts';
import { resultsDocument } from '../../src/report/document.ts';
import { shortCount } from '../../src/report/format.ts';
import { runTable } from '../../src/report/page/settings.ts';
import { markdownTables } from '../../src/report/table.ts';
import { madeUpRun } from './in-memory-runs.ts';

test('what a method costs: parameters, MACs, epochs, seconds', () => {
  const of = (method: string, summary: Partial<RunSummary> = {}) => madeUpRun(method, 1, [9, 6, 3], { summary });
  const runs = [
    of('ERM', { parameters: { trained: 1234, all: 1234 }, macs: 68_862_592 }),
    of('Head', { parameters: { trained: 50, all: 5_000_000 }, macs: 650 }),
    of('Old'),
  ];
  const comparison = compareRuns({ runs, leftOut: [] });
  const { text } = runTable(comparison);
  for (const cell of ['1,234, all trained', '5,000,000, 50 trained', '68.9 M', 'Epochs', '11 s'])
    expect(text).toContain(cell);
  expect(resultsDocument(comparison).methods.map(({ parameters }) => parameters)).toEqual([
    { trained: 1234, all: 1234 },
    { trained: 50, all: 5_000_000 },
    null,
  ]);
  expect(resultsDocument(comparison).methods.map(({ macs }) => macs)).toEqual([68_862_592, 650, null]);
  expect(markdownTables(comparison)).toContain(`## Cost

| Method | Epochs | Parameters | MACs of an image | Seconds of a run |
| --- | ---: | ---: | ---: | ---: |
| ERM | 3 | 1,234, all trained | 68.9 M | 11 s |
| Head | 3 | 5,000,000, 50 trained | 650 | 11 s |
| Old | 3 | – | – | 11 s |
`);
  const [head, ...rows] = resultsCsv(comparison).trimEnd().split('\r\n');
  const at = head!.split(',').indexOf('parameters');
  expect(rows.map((row) => row.split(',').slice(at, at + 4))).toEqual([
    ['1234', '1234', '68862592', '11'],
    ['5000000', '50', '650', '11'],
    ['', '', '', '11'],
  ]);
});

test('counts are shown to three digits', () => {
  const counts = [0, 999, 1000, 999_499, 999_500, 68_862_592, 4_089_184_256];
  expect(counts.map(shortCount)).toEqual(['0', '999', '1.00 k', '999 k', '1.00 M', '68.9 M', '4.09 G']);
});
