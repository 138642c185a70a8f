import { describe, expect, test } from 'vitest';
import { compareRuns } from '../../src/report/compare.ts';
import { resultsCsv } from '../../src/report/csv.ts';
import { resultsDocument } from '../../src/report/document.ts';
import { decimalsFor, duration, milliseconds, percent, points, withSpread } from '../../src/report/format.ts';
import { otherProtocols } from '../../src/report/page/tables.ts';
import { formatResultsTable, markdownTables } from '../../src/report/table.ts';
import { madeUpRun } from './in-memory-runs.ts';

const comparison = compareRuns({
  runs: [
    madeUpRun('ERM', 1, [10, 6, 2]),
    madeUpRun('ERM', 2, [10, 8, 0]),
    madeUpRun('Remix', 1, [8, 8, 5]),
    madeUpRun('Remix', 2, [10, 8, 6]),
  ],
  leftOut: [{ path: 'runs/x', reason: 'failed: the loss is NaN' }],
});

test('milliseconds have three digits, and become seconds from a second on', () => {
  const shown = [0.08123, 1.234, 56.78, 999.4, 999.5, 1000, 1234, 12_345, 123_456].map(milliseconds);
  expect(shown).toEqual(['0.0812 ms', '1.23 ms', '56.8 ms', '999 ms', '1.0 s', '1.0 s', '1.2 s', '12 s', '2 min 3 s']);
});

describe('the table in the terminal', () => {
  test('looks like this', () => {
    expect(formatResultsTable(comparison)).toMatchInlineSnapshot(`
      "Last epoch, 30 test images, in percent, mean ± sd over seeds.

      method  seeds       acc       bal       many     medium        few      worst        F1       ECE
      ──────  ─────  ────────  ────────  ─────────  ─────────  ─────────  ─────────  ────────  ────────
      ERM         2  60.0±0.0  60.0±0.0  100.0±0.0  70.0±14.1  10.0±14.1  10.0±14.1  53.7±4.6   2.4±0.0
      Remix       2  75.0±7.1  75.0±7.1  90.0±14.1   80.0±0.0   55.0±7.1   55.0±7.1  75.2±7.1  17.4±7.1

      many: classes with more than 100 training images, medium: 20 to 100, few: fewer than 20"
    `);
  });

  test('one seed has no spread', () => {
    const one = compareRuns({ runs: [madeUpRun('ERM', 1, [10, 6, 2])], leftOut: [] });
    expect(formatResultsTable(one)).toMatchInlineSnapshot(`
      "Last epoch, 30 test images, in percent.

      method  seeds   acc   bal   many  medium   few  worst    F1  ECE
      ──────  ─────  ────  ────  ─────  ──────  ────  ─────  ────  ───
      ERM         1  60.0  60.0  100.0    60.0  20.0   20.0  56.9  2.4

      many: classes with more than 100 training images, medium: 20 to 100, few: fewer than 20"
    `);
  });

  test.each([40, 60, 100])('fits %i columns, with the first figures kept and long names in full', (width) => {
    const name = 'Remix with a name that goes on and on until nobody reads it (kappa 3)';
    const long = compareRuns({
      runs: [1, 2].flatMap((seed) => [madeUpRun('ERM', seed, [10, 6, seed]), madeUpRun(name, seed, [9, 9, 9])]),
      leftOut: [],
    });
    const lines = formatResultsTable(long, { width }).split('\n').slice(2, -2);
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(width);
    expect(lines[3]).toMatch(/^Remix with a name that goes +2/);
    expect(lines.slice(4)).toEqual(['on and on until nobody reads', 'it (kappa 3)']);
    if (width > 40) expect(lines[0]).toMatch(/method +seeds +acc +bal/);
  });
});

test('results.md', () => {
  expect(markdownTables(comparison)).toMatchInlineSnapshot(`
    "# toy: 2 methods

    Last epoch, 30 test images, in percent; mean ± sample standard deviation over seeds. Many: classes with more than 100 training images, medium: 20 to 100, few: fewer than 20.

    | Method | Seeds | Accuracy | Balanced | Many | Medium | Few | Worst class | Macro-F1 | ECE |
    | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |
    | ERM | 2 | 60.0 ± 0.0 | 60.0 ± 0.0 | 100.0 ± 0.0 | 70.0 ± 14.1 | 10.0 ± 14.1 | 10.0 ± 14.1 | 53.7 ± 4.6 | 2.4 ± 0.0 |
    | Remix | 2 | 75.0 ± 7.1 | 75.0 ± 7.1 | 90.0 ± 14.1 | 80.0 ± 0.0 | 55.0 ± 7.1 | 55.0 ± 7.1 | 75.2 ± 7.1 | 17.4 ± 7.1 |

    Accuracy of each class, by the same rules, in brackets its training images.

    | Method | head (200) | middle (50) | tail (5) |
    | --- | ---: | ---: | ---: |
    | ERM | 100.0 ± 0.0 | 70.0 ± 14.1 | 10.0 ± 14.1 |
    | Remix | 90.0 ± 14.1 | 80.0 ± 0.0 | 55.0 ± 7.1 |

    **Best on test is optimistic**: the epoch was chosen on the test set itself. It is here only to compare with papers that report it.

    | Method | Best on test: accuracy | Best on test: balanced | Last-5 median: accuracy | Last-5 median: balanced |
    | --- | ---: | ---: | ---: | ---: |
    | ERM | 60.0 ± 0.0 | 60.0 ± 0.0 | 60.0 ± 0.0 | 60.0 ± 0.0 |
    | Remix | 75.0 ± 7.1 | 75.0 ± 7.1 | 75.0 ± 7.1 | 75.0 ± 7.1 |

    Difference to ERM in points of balanced accuracy, each run against that of the same seed and the same images. 95 %: interval of the mean difference of balanced accuracy, by Student's t over the seeds. p: paired t-test of it. Both speak of other seeds on these images, not of other images; with few seeds they can show large differences only.

    | Method | Wins | Balanced | 95 % | p |
    | --- | ---: | ---: | ---: | ---: |
    | Remix | 2 of 2 | +15.0 ± 7.1 | −48.5 to +78.5 | 0.20 |

    ## Cost

    | Method | Epochs | Seconds of a run |
    | --- | ---: | ---: |
    | ERM | 3 | 12 s |
    | Remix | 3 | 12 s |
    "
  `);
});

test('names cannot break out of a Markdown table', () => {
  const hostile = compareRuns({ runs: [madeUpRun('a | b\n<img src=x> `*_', 1, [9, 5, 1])], leftOut: [] });
  const row = markdownTables(hostile)
    .split('\n')
    .find((line) => line.startsWith('| a'))!;
  expect(row).toContain('a \\| b \\<img src=x\\> \\`\\*\\_');
});

describe('results.csv', () => {
  test('a row a run, shares to their full precision', () => {
    const [head, first, ...rest] = resultsCsv(comparison).split('\r\n');
    expect(rest).toHaveLength(4);
    const row = Object.fromEntries(head!.split(',').map((name, i) => [name, first!.split(',')[i]]));
    expect(row).toMatchObject({
      method: 'ERM',
      seed: '1',
      accuracy: '0.6',
      few: '0.2',
      top_5: '',
      worst_class: '0.2',
      worst_class_name: 'tail',
      best_on_test_optimistic_accuracy: '0.6',
      run: 'runs/ERM-1',
    });
    expect(Number(row.balanced_accuracy)).toBe(comparison.methods[0]!.runs[0]!.summary.last.balancedAccuracy);
  });

  test('commas, quotes and line ends are quoted', () => {
    const hostile = compareRuns({ runs: [madeUpRun('a,"b"\nc', 1, [9, 5, 1])], leftOut: [] });
    expect(resultsCsv(hostile).split('\r\n')[1]!.startsWith('"a,""b""\nc",1,')).toBe(true);
  });

  test.each(['=HYPERLINK("http://x")', '+1', '-1', '@SUM(A1)', '\tx'])('%j is a text, not a formula', (name) => {
    const row = resultsCsv(compareRuns({ runs: [madeUpRun(name, 1, [9, 5, 1])], leftOut: [] })).split('\r\n')[1]!;
    expect(row.startsWith(name.includes('"') ? `"'${name.replaceAll('"', '""')}",1,` : `'${name},1,`)).toBe(true);
  });

  test('a number below 0 stays a number', () => {
    const run = madeUpRun('ERM', 1, [9, 5, 1]);
    run.summary.seconds = -1.5;
    const [head, row] = resultsCsv(compareRuns({ runs: [run], leftOut: [] })).split('\r\n');
    expect(row!.split(',')[head!.split(',').indexOf('seconds')]).toBe('-1.5');
  });
});

describe('report.json', () => {
  const document = resultsDocument(comparison);

  test('means beside their standard deviations', () => {
    const [erm, remix] = document.methods;
    expect(erm).toMatchObject({
      method: 'ERM',
      seeds: [1, 2],
      accuracy: 0.6,
      perClass: [1, 0.7, 0.1],
      sd: { accuracy: 0 },
      difference: null,
      backend: 'native',
      stepMode: 'captured',
      seconds: 11.5,
      bestOnTest: { optimistic: true, accuracy: 0.6, sd: { accuracy: 0 } },
    });
    expect(remix!.difference).toMatchObject({ against: 'ERM', wins: 2, accuracy: expect.closeTo(0.15, 12) });
    expect(document.leftOut).toEqual([{ path: 'runs/x', reason: 'failed: the loss is NaN' }]);
  });

  test('is plain JSON, without a hole', () => {
    expect(JSON.parse(JSON.stringify(document))).toEqual(document);
  });

  test('one seed has no standard deviations', () => {
    const one = resultsDocument(compareRuns({ runs: [madeUpRun('ERM', 1, [9, 5, 1])], leftOut: [] })).methods[0]!;
    expect([one.sd, one.bestOnTest!.sd, one.lastFiveMedian!.sd]).toEqual([null, null, null]);
  });
});

test('the epoch chosen on validation has columns where a method has one', () => {
  const chosenOnValidation = { epoch: 2, accuracy: 0.5, balancedAccuracy: 0.4 };
  const found = compareRuns({
    runs: [madeUpRun('ERM', 1, [9, 5, 1]), madeUpRun('Remix', 1, [9, 5, 1], { summary: { chosenOnValidation } })],
    leftOut: [],
  });
  const lines = markdownTables(found).split('\n');
  expect(lines).toContain(
    '| Method | Best on test: accuracy | Best on test: balanced | Chosen on validation: accuracy | Chosen on validation: balanced | Last-5 median: accuracy | Last-5 median: balanced |',
  );
  expect(lines).toContain('| ERM | 50.0 | 50.0 | – | – | 50.0 | 50.0 |');
  expect(lines).toContain('| Remix | 50.0 | 50.0 | 50.0 | 40.0 | 50.0 | 50.0 |');
  expect(resultsDocument(found).methods.map((method) => method.chosenOnValidation)).toEqual([
    null,
    { accuracy: 0.5, balancedAccuracy: 0.4, sd: null },
  ]);
  expect(JSON.stringify(otherProtocols(found))).toContain('Chosen on validation');
});

test('numbers in words', () => {
  expect([0.8123, 1, 0].map((share) => percent(share))).toEqual(['81.2', '100.0', '0.0']);
  // Equal but for the last bit: both at the edge between 84.6 and 84.7.
  expect(percent(0.8465)).toBe(percent(0.84649999999999992));
  expect([0.0123, -0.0123, -0.0001, 0].map((share) => points(share))).toEqual(['+1.2', '−1.2', '0.0', '0.0']);
  expect(withSpread({ mean: 0.5, sd: 0.014, n: 2 })).toBe('50.0 ± 1.4');
  expect(withSpread({ mean: 0.5, sd: null, n: 1 }, 2)).toBe('50.00');
  expect(withSpread(null)).toBe('–');
  expect([decimalsFor(4999), decimalsFor(5000)]).toEqual([1, 2]);
  expect([3.21, 59.4, 59.6, 3599.6, 7320].map(duration)).toEqual([
    '3.2 s',
    '59 s',
    '1 min 0 s',
    '1 h 0 min',
    '2 h 2 min',
  ]);
});
