import { describe, expect, test } from 'vitest';
import { compareRuns } from '../../src/report/compare.ts';
import { resultsCsv } from '../../src/report/csv.ts';
import { resultsDocument } from '../../src/report/document.ts';
import { furtherTables } from '../../src/report/further.ts';
import { renderPage } from '../../src/report/page/page.ts';
import { formatResultsTable, markdownTables } from '../../src/report/table.ts';
import { madeUpRun } from './in-memory-runs.ts';

type Figures = Record<string, number>;

/** A run with figures beyond the headline, and with those of a plugin. */
function withFigures(method: string, seed: number, further?: Figures, ofPlugins?: Figures) {
  const run = madeUpRun(method, seed, [9, 6, 3], { summary: further ? { figures: further } : {} });
  const last = { ...run.summary.last, ...(ofPlugins && { figures: ofPlugins }) };
  return { ...run, summary: { ...run.summary, last } };
}

const plain = compareRuns({ runs: [madeUpRun('ERM', 1, [9, 6, 3]), madeUpRun('Remix', 1, [9, 6, 3])], leftOut: [] });
const comparison = compareRuns({
  runs: [
    withFigures('ERM', 1, { gMean: 0.5, nll: 1.25, forward50: 0.8 }),
    withFigures('ERM', 2, { gMean: 0.6, nll: 1.75, forward50: 0.9 }),
    withFigures('Remix', 1, { gMean: 0.7, nll: 1 }, { 'best-class': 123456.789, 'a|b<i>': -0.001, constructor: 2 }),
    withFigures('Remix', 2, undefined, { 'best-class': 123456.789 }),
  ],
  leftOut: [],
});

describe('figures beyond the headline', () => {
  test('have a table for each section that a run has something of, over the runs that have it', () => {
    expect(furtherTables(comparison).map(({ title, columns, rows }) => [title, columns, ...rows])).toEqual([
      ['The tail', ['G-mean'], ['55.0 ± 7.1'], ['70.0']],
      ['Probabilities', ['NLL'], ['1.5000 ± 0.3500'], ['1.0000']],
      ['Other class shares in the test set', ['Forward 50'], ['85.0 ± 7.1'], ['–']],
      ['Figures of plugins', ['best-class', 'a|b<i>', 'constructor'], ['–', '–', '–'], ['123460 ± 0', '−0.001', '2']],
    ]);
    expect(furtherTables(plain)).toEqual([]);
  });

  test('do not lengthen the headline', () => {
    const columns = (text: string) => text.split('\n')[2]!.split(/ +/);
    expect(columns(formatResultsTable(comparison))).toEqual(columns(formatResultsTable(plain)));
    const head = (text: string) => text.split('\n').find((line) => line.startsWith('| Method'));
    expect(head(markdownTables(comparison))).toBe(head(markdownTables(plain)));
  });

  test('results.md', () => {
    const text = markdownTables(comparison);
    expect(text).toContain(`## The tail

Last epoch, in percent; mean ± sample standard deviation over seeds.

| Method | G-mean |
| --- | ---: |
| ERM | 55.0 ± 7.1 |
| Remix | 70.0 |
`);
    expect(text).toContain('| Method | best-class | a\\|b\\<i\\> | constructor |');
    expect(markdownTables(plain).match(/^## .*/gm)).toEqual(['## Cost']);
  });

  test('results.csv has a column for what a run has, behind those that are always there', () => {
    const rows = (csv: string) => csv.trimEnd().split('\r\n');
    const [head, first, , , last] = rows(resultsCsv(comparison));
    const always = rows(resultsCsv(plain))[0]!;
    expect(head).toBe(
      `${always},further/gMean,further/nll,further/forward50,figures/best-class,figures/a|b<i>,figures/constructor`,
    );
    expect(first).toMatch(/,runs\/ERM-1,0\.5,1\.25,0\.8,,,$/);
    expect(last).toMatch(/,runs\/Remix-2,,,,123456\.789,,$/);
  });

  test('report.json', () => {
    const [erm, remix] = resultsDocument(comparison).methods;
    expect(erm).toMatchObject({ further: { gMean: 0.55, nll: 1.5, forward50: expect.closeTo(0.85, 12) }, figures: {} });
    expect(erm!.sd!.further.nll).toBeCloseTo(Math.sqrt(0.125), 12);
    expect(remix!.figures).toEqual({ 'best-class': 123456.789, 'a|b<i>': -0.001, constructor: 2 });
    expect(remix!.sd!.figures).toEqual({ 'best-class': 0, 'a|b<i>': null, constructor: null });
    expect(resultsDocument(plain).methods[0]).toMatchObject({ further: {}, figures: {}, sd: null });
  });

  test('the page folds them into a section, and has none without them', async () => {
    const page = await renderPage(comparison, new Date(0));
    const section = /<section aria-labelledby="further">.*?<\/section>/s.exec(page)![0];
    expect(section.match(/<details><summary>[^<]+/g)).toHaveLength(4);
    expect(section).toContain('<td>55.0 ± 7.1</td>');
    expect(section).toContain('a|b&lt;i&gt;');
    expect(await renderPage(plain, new Date(0))).not.toContain('id="further"');
  });
});
