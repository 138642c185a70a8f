import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { compareRuns } from '../../src/report/compare.ts';
import { escapeHtml, Html, html } from '../../src/report/html.ts';
import { renderPage } from '../../src/report/page/page.ts';
import { writeReport } from '../../src/report/write.ts';
import { madeUpRun } from './in-memory-runs.ts';

const created = new Date('2025-01-31T09:30:00Z');

/** Which of the texts a page lacks; pages are too long for a failure to print. */
const missing = (page: string, texts: readonly string[]) => texts.filter((text) => !page.includes(text));
const holes = (page: string) => page.match(/.{0,30}(NaN|undefined|\[object).{0,30}/g);

let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'tailmix-page-'));
});
afterAll(() => rm(root, { recursive: true, force: true }));

describe('html', () => {
  test('escapes what it is given, joins lists, leaves out null', () => {
    expect(html`<p title="${'"'}">${'<&>'}${[html`<b>${"'"}</b>`, 1]}${null}</p>`.text).toBe(
      '<p title="&quot;">&lt;&amp;&gt;<b>&#39;</b>1</p>',
    );
    expect(html`${new Html('<br>')}`.text).toBe('<br>');
    expect(escapeHtml('&lt;')).toBe('&amp;lt;');
  });
});

describe('the page', () => {
  const runs = ['ERM', 'Remix'].flatMap((method, m) =>
    [1, 2].map((seed) => madeUpRun(method, seed, [10 - m, 6 + m, 2 + m + seed])),
  );
  let page: string;
  beforeAll(async () => {
    page = await renderPage(compareRuns({ runs, leftOut: [{ path: 'runs/x', reason: 'failed: x' }] }), created);
  });

  test('loads nothing and runs nothing', () => {
    expect(missing(page, [`content="default-src 'none'; style-src 'unsafe-inline'"`])).toEqual([]);
    expect(page.match(/<(script|link|iframe|img|object|embed)\b|\bon\w+=|@import|url\(/gi)).toBeNull();
    const addresses = [...page.matchAll(/\w+:\/\/[^\s"'<]+/g)].map(([address]) => address);
    expect(addresses).toEqual([]);
  });

  test('has every section, and links to each', () => {
    const ids = [...page.matchAll(/<h2 id="(\w+)">/g)].map(([, id]) => id);
    expect(ids).toEqual([
      'results',
      'differences',
      'classes',
      'confusion',
      'training',
      'calibration',
      'data',
      'speed',
      'settings',
      'reproduce',
    ]);
    expect(
      missing(
        page,
        ids.map((id) => `href="#${id}"`),
      ),
    ).toEqual([]);
  });

  test('every drawing has a description and every table a caption', () => {
    const drawings = [...page.matchAll(/<svg\b[^>]*>/g)]
      .map(([tag]) => tag)
      .filter((tag) => !tag.includes('aria-hidden'));
    // Per class, two confusion matrices, three curves, two reliability diagrams, long tail, two of time, one difference.
    expect(drawings).toHaveLength(14);
    for (const tag of drawings) expect(tag).toMatch(/ role="img" aria-label="[^"]{10,}"/);
    const tables = page.split('<table').slice(1);
    expect(tables.length).toBeGreaterThan(5);
    for (const table of tables) expect(table).toMatch(/^[^>]*><caption><span>[^<]|^[^>]*><caption><span><strong>/);
  });

  test('says what best-on-test is, the rule of the groups, the date, what was left out', () => {
    const said = [
      'Best on test (optimistic)',
      'many: classes with more than 100 training images, medium: 20 to 100, few: fewer than 20',
      'Written 2025-01-31',
      '<li>runs/x: failed: x</li>',
      'npx tailmix train runs/ERM-1/config.yaml --out again/ERM-1\n',
    ];
    expect(missing(page, said)).toEqual([]);
  });

  test('holds the figures', () => {
    // Remix: 9 7 4 and 9 7 5 right of ten each.
    expect(missing(page, ['Remix</th><td>2</td><td class="best">68.3 <small>± 2.4</small>'])).toEqual([]);
    expect(holes(page)).toBeNull();
  });

  test('is the same page for the same runs', async () => {
    const again = await renderPage(compareRuns({ runs, leftOut: [{ path: 'runs/x', reason: 'failed: x' }] }), created);
    expect(again === page).toBe(true);
  });
});

test('nothing from a file gets into the page as markup', async () => {
  const evil = `</style><script>alert(1)</script>"'><img src=x onerror=alert(1)>`;
  const run = (method: string) =>
    madeUpRun(method, 1, [9, 5, 1], {
      path: `runs/${evil}`,
      configText: evil,
      notes: [evil],
      plugins: [{ use: `${method}${evil}`, [evil]: evil }],
      summary: {
        dataset: evil,
        classes: [evil, 'middle', 'tail'],
        status: 'stopped',
        reason: evil,
        backend: evil,
        stepModeReason: evil,
        tailmix: evil,
        subsetHash: evil,
        versions: { [evil]: evil },
      },
    });
  const runs = [run(`ERM ${evil}`), run(`Remix ${evil}`)];
  for (const { summary } of runs) summary.last.worstClass.name = evil;
  const page = await renderPage(compareRuns({ runs, leftOut: [{ path: evil, reason: evil }] }), created);
  expect(page.match(/<script|<img/gi)).toBeNull();
  expect(page.match(/<\/style>/g)).toHaveLength(1);
  expect(page.match(/&lt;script&gt;/g)!.length).toBeGreaterThan(20);
  const tags = page.replace(/"[^"]*"/g, '""').match(/<[^<>]*>/g)!;
  expect(tags.filter((tag) => /onerror|javascript/i.test(tag))).toEqual([]);
});

test.each([1, 2, 9, 30])('%i methods', async (count) => {
  const runs = Array.from({ length: count }, (_, i) => madeUpRun(`m${i}`, 1, [9, 5, i % 10]));
  const page = await renderPage(compareRuns({ runs, leftOut: [] }), created);
  const names = runs.map(({ summary }) => `>${summary.method}<`);
  expect(missing(page, names)).toEqual([]);
  expect(page.includes('id="differences"')).toBe(count > 1);
  expect(holes(page)).toBeNull();
});

test('runs without curves, confusion matrices and speed still make a page', async () => {
  const run = madeUpRun('ERM', 1, [9, 5, 1], { epochs: [], config: null, configText: null });
  run.summary.last = { ...run.summary.last, confusion: null };
  const page = await renderPage(compareRuns({ runs: [run], leftOut: [] }), created);
  expect(missing(page, ['No run has a readable metrics.jsonl.', 'No run has a confusion matrix.'])).toEqual([]);
});

describe('files', () => {
  const comparison = compareRuns({ runs: [madeUpRun('ERM', 1, [9, 5, 1])], leftOut: [] });

  test('all, in a folder that is made', async () => {
    const folder = join(root, 'a', 'b');
    const path = await writeReport(comparison, folder, { created });
    expect(path).toBe(join(folder, 'index.html'));
    expect((await readdir(folder)).sort()).toEqual([
      'index.html',
      'per-class.csv',
      'references.bib',
      'report.json',
      'results.csv',
      'results.md',
      'results.tex',
    ]);
    expect(JSON.parse(await readFile(join(folder, 'report.json'), 'utf8'))).toMatchObject({
      dataset: 'toy',
      methods: [{ method: 'ERM' }],
    });
  });

  test('a folder that cannot be made', async () => {
    await writeFile(join(root, 'file'), '');
    await expect(writeReport(comparison, join(root, 'file', 'report'), { created })).rejects.toMatchObject({
      code: 'REPORT_NOT_WRITTEN',
      exitCode: 1,
    });
  });
});
