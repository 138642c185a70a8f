import { expect, test } from 'vitest';
import { compareRuns } from '../../src/report/compare.ts';
import { detailedMethods } from '../../src/report/page/detailed.ts';
import { renderPage } from '../../src/report/page/page.ts';
import { madeUpRun, type Right } from './in-memory-runs.ts';

const comparisonOf = (count: number) =>
  compareRuns({
    runs: Array.from({ length: count }, (_, i) => {
      const right: Right = [9, i % 10, Math.floor(i / 10) % 10];
      return madeUpRun(i === 0 ? 'ERM' : `trial ${i}`, 1, right, { plugins: [{ use: 'remix', kappa: i + 1 }] });
    }),
    leftOut: [],
  });

test('up to 60 methods all are shown in detail, in their order', () => {
  const comparison = comparisonOf(60);
  expect(detailedMethods(comparison)).toEqual({ all: comparison, detailed: comparison, note: null });
});

test('of more, the best have charts and columns, and tables have a row for each', { timeout: 120_000 }, async () => {
  const comparison = comparisonOf(75);
  const { all, detailed, note } = detailedMethods(comparison);
  const balanced = all.methods.slice(1).map(({ figures }) => figures.balancedAccuracy!.mean);
  expect(all.methods[0]!.label).toBe('ERM');
  expect(balanced).toEqual(balanced.toSorted((a, b) => b - a));
  expect(detailed.methods).toEqual(all.methods.slice(0, 60));

  const page = await renderPage(comparison, new Date(0));
  expect(page).toContain(note);
  expect(page.match(/aria-label="Reliability of /g)).toHaveLength(60);
  for (const { label } of comparison.methods) expect(page).toContain(`</svg>${label}</th>`);
  const { label } = all.methods.at(-1)!;
  expect(page).not.toContain(`aria-label="Reliability of ${label}:`);
});
