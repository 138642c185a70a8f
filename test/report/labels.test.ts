import { expect, test } from 'vitest';
import { confusionSpec } from '../../src/report/charts/confusion.ts';
import { binDifferences, differenceSpec } from '../../src/report/charts/difference.ts';
import { longTailSpec } from '../../src/report/charts/long-tail.ts';
import { perClassSpec } from '../../src/report/charts/per-class.ts';
import { drawChart, drawChartFile } from '../../src/report/charts/render.ts';
import { speedSpec } from '../../src/report/charts/speed.ts';
import { tradeOffSpec } from '../../src/report/charts/trade-off.ts';
import { classBins } from '../../src/report/class-bins.ts';
import { compareRuns } from '../../src/report/compare.ts';
import { madeUpRun } from './in-memory-runs.ts';

const classes = [
  'a class of images whose name takes more than one line of any chart',
  'Pneumonoultramicroscopicsilicovolcanoconiosis',
  'tail',
];
const methodNames = [
  'ERM',
  ...Array.from({ length: 9 }, (_, i) => `Remix with a very long name that says all of its options, number ${i}`),
];
const comparison = compareRuns({
  runs: methodNames.map((method) => madeUpRun(method, 1, [9, 5, 1], { summary: { classes } })),
  leftOut: [],
});
const [erm, remix] = comparison.methods;
const bins = classBins(classes, comparison.classCounts);

/** Words of a drawing: lines of a label are texts of their own. */
const wordsOf = (svg: string): string =>
  [...svg.matchAll(/<(?:text|tspan)[^>]*>([^<]*)/g)]
    .map(([, text]) => text!.trim())
    .join(' ')
    .replaceAll(/\s+/g, ' ');

const without = (name: string): string => name.replaceAll(' ', '');

const bars = comparison.methods.map(({ label, seconds }, index) => ({ label, value: seconds, text: '1 s', index }));
test.each([
  ['confusion', confusionSpec(erm!.confusion!, bins), classes],
  ['differences', differenceSpec(binDifferences(remix!, erm!, bins), bins, 1, 100), classes],
  ['the long tail', longTailSpec(comparison), classes],
  ['classes, few methods', perClassSpec({ ...comparison, methods: [erm!, remix!] }), classes],
  ['classes, many methods', perClassSpec(comparison), [...classes, ...methodNames]],
  ['time', speedSpec(bars, 'seconds'), methodNames],
  ['accuracy against time', tradeOffSpec(comparison.methods), methodNames],
])('%s: names are in full', async (_, spec, names) => {
  const { text } = await drawChart(spec, 'a chart');
  const words = wordsOf(text);
  expect(words).not.toContain('…');
  for (const name of names) expect(without(words)).toContain(without(name));
});

test('legends of files too', async () => {
  const spec = perClassSpec({ ...comparison, methods: [erm!, remix!] });
  const words = wordsOf(await drawChartFile(spec, 'a chart'));
  expect(words).not.toContain('…');
  expect(words).toContain(methodNames[1]);
});
