import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { report } from '../../src/cli/report.ts';
import { criticalDifferenceChart } from '../../src/report/charts/critical-difference.ts';
import { compareRuns } from '../../src/report/compare.ts';
import { byDataSet } from '../../src/report/data-sets.ts';
import { alikeOf, overviewOf, ranksInWords } from '../../src/report/overview.ts';
import { overviewMarkdown } from '../../src/report/table.ts';
import { madeUpRun, type Right } from './in-memory-runs.ts';
import { writeSyntheticRun } from './synthetic-runs.ts';

describe('the critical difference', () => {
  test('of the published example, 4 methods on 14 data sets, tells none apart at 5 % (Demšar 2006, section 3.2.2)', () => {
    const ranks = { meanRanks: [3.143, 2, 2.893, 1.964], criticalDifference: 1.25, statistic: 9.28, p: 0.026 };
    expect(alikeOf(['C4.5', 'm', 'cf', 'm+cf'], ranks)).toEqual([['m+cf', 'm', 'cf', 'C4.5']]);
  });
});

test('bars join neighbours within the critical difference, and none lies within another', () => {
  const ranks = { meanRanks: [1, 1.8, 2.6, 5], criticalDifference: 1, statistic: 0, p: 0 };
  expect(alikeOf(['a', 'b', 'c', 'd'], ranks)).toEqual([
    ['a', 'b'],
    ['b', 'c'],
  ]);
});

const results: Record<string, Right[]> = {
  ERM: [
    [9, 5, 0],
    [9, 6, 1],
  ],
  Mixup: [
    [9, 6, 1],
    [9, 6, 2],
  ],
  Remix: [
    [9, 7, 3],
    [9, 7, 4],
  ],
};
const setsOf = (names: readonly { dataset: string; ratio?: number }[]) =>
  byDataSet(
    names.flatMap(({ dataset, ratio }, i) =>
      Object.entries(results).map(([method, right]) =>
        madeUpRun(method, 1, right[i % 2]!, {
          summary: { dataset },
          config: { method, ...(ratio && { data: { profile: 'exp', ratio } }) },
        }),
      ),
    ),
  ).map(({ runs, ...set }) => ({ ...set, comparison: compareRuns({ runs, leftOut: [] }) }));

describe('several data sets', () => {
  test('are told apart by name and long tail', () => {
    const sets = setsOf([{ dataset: 'cifar10', ratio: 10 }, { dataset: 'cifar10', ratio: 100 }, { dataset: 'digits' }]);
    expect(sets.map(({ name }) => name)).toEqual(['cifar10 exp 10', 'cifar10 exp 100', 'digits']);
    expect(overviewOf(sets).ranks!.meanRanks).toEqual([3, 2, 1]);
  });

  test('the words say no more than the ranks do', () => {
    const words = ranksInWords(
      overviewOf(
        setsOf([
          { dataset: 'cifar10', ratio: 10 },
          { dataset: 'cifar10', ratio: 100 },
        ]),
      ),
    );
    expect(words).toMatchInlineSnapshot(`
      [
        "Friedman's test of 3 methods over 2 data sets, by balanced accuracy of the last epoch, mean over seeds: χ² = 4.00, p = 0.14. It finds no difference at 5 %; the critical difference of 2.34 (Nemenyi, 5 %) is shown, and tells no two methods apart.",
        "Not told apart: Remix, Mixup, ERM. That is no proof that they are equal.",
        "Each data set counts as one independent observation, whatever its size; by how much a method is ahead, and how far seeds lie apart, does not count. Some of these are the same images with another long tail: they are not independent, and p is too small. With fewer than ten data sets p is rough, and only large differences can show.",
      ]
    `);
    expect(ranksInWords(overviewOf(setsOf([{ dataset: 'a' }])))[0]).toContain('two data sets or more');
  });

  test('the table, and the diagram in words for those who cannot see it', () => {
    const overview = overviewOf(setsOf([{ dataset: 'a' }, { dataset: 'b' }]));
    expect(overviewMarkdown(overview, 'mine').split('\n').slice(4, 9)).toMatchInlineSnapshot(`
      [
        "| Method | a | b | Mean rank |",
        "| --- | ---: | ---: | ---: |",
        "| ERM | 46.7 | 53.3 | 3.00 |",
        "| Mixup | 53.3 | 56.7 | 2.00 |",
        "| Remix | 63.3 | 66.7 | 1.00 |",
      ]
    `);
    const { text } = criticalDifferenceChart(overview.ranks!);
    expect(text).toContain(
      'aria-label="Mean ranks, 1 is best: Remix 1.00, Mixup 2.00, ERM 3.00. Critical difference 2.34."',
    );
  });
});

describe('tailmix report', () => {
  let root: string;
  afterAll(() => rm(root, { recursive: true, force: true }));

  test('of two data sets writes a page for each, and one over them', async () => {
    root = await mkdtemp(join(tmpdir(), 'tailmix-overview-'));
    for (const dataset of ['digits', 'letters'])
      for (const [i, method] of ['ERM', 'Mixup', 'Remix'].entries())
        await writeSyntheticRun(join(root, dataset), {
          method,
          seed: 1,
          tailLift: 0.3 * i,
          epochs: 2,
          summary: { dataset },
        });
    expect(await report([root], { json: true })).toBe(0);
    const file = `${basename(root)}.html`;
    expect((await readdir(join(root, 'report'))).sort()).toEqual(
      ['digits', file, 'letters', 'references.bib', 'report.json', 'results.md'].sort(),
    );
    const page = await readFile(join(root, 'report', file), 'utf8');
    expect(page).toContain('<a href="letters/index.html">letters</a>');
    expect(page).toContain('Friedman');
    expect(await readFile(join(root, 'report', 'letters', 'index.html'), 'utf8')).toContain('letters: 3 methods');
  });
});
