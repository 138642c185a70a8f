import { expect, test } from 'vitest';
import { paretoFront } from '../../src/report/charts/trade-off.ts';
import { compareRuns } from '../../src/report/compare.ts';
import { renderPage } from '../../src/report/page/page.ts';
import { madeUpRun, type Right } from './in-memory-runs.ts';

const of = (method: string, right: Right, seconds: number) => madeUpRun(method, 1, right, { summary: { seconds } });
const comparison = compareRuns({
  runs: [of('ERM', [9, 5, 1], 10), of('Slow', [9, 4, 1], 20), of('Good', [9, 9, 9], 30), of('Same', [9, 9, 9], 31)],
  leftOut: [],
});

test('the front has what nothing beats in both', () => {
  expect(paretoFront(comparison.methods).map(({ label }) => label)).toEqual(['ERM', 'Good']);
  const alike = compareRuns({ runs: [of('A', [9, 5, 1], 10), of('B', [9, 5, 1], 10)], leftOut: [] });
  expect(paretoFront(alike.methods)).toHaveLength(2);
});

test('the page shows it, and accuracy over training images, and is named after its sweep', async () => {
  const page = await renderPage(comparison, new Date(0), { name: 'my-sweep' });
  expect(page).toContain('<h1>my-sweep: toy, 4 methods</h1>');
  expect(page).toContain(
    'Balanced accuracy against time. Beaten by no other: ERM (10 s, 50.0 %), Good (30 s, 90.0 %).',
  );
  expect(page).toContain('Test accuracy over the number of training images, 4 methods');
  expect(await renderPage(comparison, new Date(0), { name: 'toy' })).toContain('<h1>toy: 4 methods</h1>');
});
