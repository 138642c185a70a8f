import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { ConfusionCount } from '../../src/metrics/types.ts';
import { confusionShares } from '../../src/report/charts/confusion.ts';
import { binDifferences, differenceLimit } from '../../src/report/charts/difference.ts';
import { longTailSpec } from '../../src/report/charts/long-tail.ts';
import { binAccuracy } from '../../src/report/charts/per-class.ts';
import { drawChart } from '../../src/report/charts/render.ts';
import { methodColour, methodDash } from '../../src/report/charts/theme.ts';
import { byClassCount, classBins } from '../../src/report/class-bins.ts';
import { compareRuns } from '../../src/report/compare.ts';
import { madeUpRun } from './in-memory-runs.ts';

describe('bins of classes', () => {
  test('few classes: each for itself, from head to tail, equal counts in label order', () => {
    expect(classBins(['a', 'b', 'c', 'd'], [5, 2000, 5, 70])).toEqual([
      { label: 'b', detail: '2,000', members: [1] },
      { label: 'd', detail: '70', members: [3] },
      { label: 'a', detail: '5', members: [0] },
      { label: 'c', detail: '5', members: [2] },
    ]);
  });

  test('two classes of one name stay two', () => {
    expect(classBins(['x', 'x'], [2, 1]).map(({ label }) => label)).toEqual(['x [0]', 'x [1]']);
  });

  test('many classes: every class in one bin, sizes differ by one at most', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(500), { minLength: 21, maxLength: 400 }), (counts) => {
        const bins = classBins(
          counts.map((_, i) => `class ${i}`),
          counts,
        );
        expect(bins.flatMap(({ members }) => members)).toEqual(byClassCount(counts));
        const sizes = bins.map(({ members }) => members.length);
        expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1);
      }),
    );
  });
});

const runs = {
  erm: [madeUpRun('ERM', 1, [10, 6, 2]), madeUpRun('ERM', 2, [10, 8, 0])],
  remix: [madeUpRun('Remix', 2, [10, 8, 6]), madeUpRun('Remix', 3, [0, 0, 0])],
};
const bins = [
  { label: 'head', detail: '', members: [0] },
  { label: 'rest', detail: '', members: [1, 2] },
];

test('accuracy in a bin: mean over its classes, then over the seeds', () => {
  // 6 and 2 of ten, 8 and 0 of ten: .4 each.
  expect(binAccuracy({ runs: runs.erm }, bins[1]!)).toEqual({ mean: 0.4, sd: 0, n: 2 });
});

test('differences of bins use the seeds that both have', () => {
  const [head, rest] = binDifferences({ runs: runs.remix }, { runs: runs.erm }, bins);
  expect(head).toEqual({ mean: 0, sd: null, n: 1 });
  expect(rest!.mean).toBeCloseTo(0.7 - 0.4, 12);
});

test('the axis of differences holds every bar and its spread', () => {
  expect(differenceLimit([[{ mean: 0.01, sd: 0.005, n: 2 }], [null]])).toBe(2);
  expect(differenceLimit([[{ mean: -0.05, sd: 0.001, n: 2 }]])).toBe(10);
  expect(differenceLimit([[{ mean: -0.9, sd: 0.2, n: 2 }]])).toBe(100);
  expect(differenceLimit([[null]])).toBe(2);
});

test('confusion in shares of the row; a bin without test images has none', () => {
  const confusion: ConfusionCount[] = [
    [0, 0, 8],
    [0, 1, 1],
    [0, 2, 1],
    [1, 0, 2],
    [1, 1, 6],
    [1, 2, 2],
  ];
  expect(confusionShares(confusion, bins)).toEqual([
    [0.8, 0.2],
    [0.2, 0.8],
  ]);
  const tail = { label: 'tail', detail: '', members: [2] };
  const others = { label: 'others', detail: '', members: [0, 1] };
  expect(confusionShares(confusion, [others, tail])).toEqual([
    [0.85, 0.15],
    [null, null],
  ]);
});

test('thirty methods: colour and dash together are each one’s own', () => {
  const looks = Array.from({ length: 29 }, (_, i) => `${methodColour(i)} ${methodDash(i)}`);
  expect(new Set(looks).size).toBe(29);
});

test('the long tail of many classes has a corner where the count changes, not a point for each class', () => {
  const comparison = compareRuns({ runs: runs.erm, leftOut: [] });
  const classCounts = Array.from({ length: 8142 }, (_, i) => (i < 30 ? 1000 : i < 8000 ? 50 : 0));
  const spec = longTailSpec({ ...comparison, classes: classCounts.map(String), classCounts });
  expect((spec as { data: { values: unknown } }).data.values).toEqual([
    { rank: 0, count: 1000, group: 'many' },
    { rank: 30, count: 1000, group: 'many' },
    { rank: 30, count: 50, group: 'medium' },
    { rank: 8000, count: 50, group: 'medium' },
    { rank: 8000, count: 0.5, group: 'few' },
    { rank: 8142, count: 0.5, group: 'few' },
  ]);
});

test('a drawing names what it shows and escapes what it is told', async () => {
  const { text } = await drawChart(
    {
      data: { values: [{ a: '</text><script>alert(1)</script>', b: 1 }] },
      mark: 'bar',
      encoding: { x: { field: 'a', type: 'nominal' }, y: { field: 'b', type: 'quantitative' } },
    },
    'Bars of "x" <y>',
  );
  expect(text).toMatch(
    /^<svg role="img" aria-label="Bars of &quot;x&quot; &lt;y&gt;" viewBox="0 0 [\d.]+ [\d.]+" style="--w:[\d.]+px">/,
  );
  expect(text).toContain('&lt;script&gt;');
  expect(text).not.toMatch(/<script|NaN|undefined/);
});
