import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { lineOf, linesOf, notedCommit, runOf } from '../../results/lines.ts';
import { pageOf } from '../../results/page.ts';
import { sets } from '../../results/sets.ts';
import { compareRuns } from '../../src/report/compare.ts';
import { loadRuns } from '../../src/report/runs.ts';
import { markdownTables } from '../../src/report/table.ts';
import { writeSyntheticSweep } from '../report/synthetic-runs.ts';
import { temporaryFolder } from '../support/temporary.ts';

const about = { commit: 'c0ffee', machine: 'a processor, 2 threads' };

async function synthetic() {
  const root = await temporaryFolder();
  await writeSyntheticSweep(root, [0, 1, 2]);
  const loaded = await loadRuns([root]);
  const lines = loaded.runs.map(({ path, summary }) => lineOf(summary, { id: path, ...about }));
  return { loaded, lines };
}

test('a page of lines has the figures of the report on the run directories', async () => {
  const { loaded, lines } = await synthetic();
  const text = lines.map((line) => `${JSON.stringify(line)}\n`).join('');
  const page = pageOf([...linesOf(text).values()], { title: 'T', text: 'What.', command: 'npm run x', planned: 13 });
  const [, ...tables] = markdownTables(compareRuns(loaded)).split('\n\n');
  for (const part of tables) expect(page).toContain(part.trim());
  expect(page).toContain('**1 of the 13 runs is still to be made.**');
  expect(page).toContain('- 12 on a processor, 2 threads');
});

test('a line keeps the confusion matrix, and not what vouches for files', async () => {
  const { loaded, lines } = await synthetic();
  expect(lines[0]).not.toHaveProperty('files');
  expect(runOf(lines[0]!).summary.last.confusion).toEqual(loaded.runs[0]!.summary.last.confusion);
});

test('a run that was made before keeps its commit', () => {
  const tags = (commit: string, dirty: boolean): string =>
    `{"tags":{"mlflow.source.git.commit":"${commit}","mlflow.source.git.branch":"main","mlflow.source.git.dirty":"${dirty}"}}\n`;
  const spool = `${tags('c0ffee1c0ffee', true)}{"type":"metrics"}\n${tags('deadbee1234', false)}`;
  expect([notedCommit(spool), notedCommit(tags('c0ffee1c0ffee', true)), notedCommit('')]).toEqual([
    'deadbee',
    'c0ffee1+',
    'unknown',
  ]);
});

test('every config for digits is in the sweep of all methods', () => {
  const sweep = readFileSync('results/digits/sweep.yaml', 'utf8');
  const missing = readdirSync('configs/digits').filter((config) => !sweep.includes(`/configs/digits/${config}\n`));
  // It trains on fewer images than all others: a tenth calibrates.
  expect(missing).toEqual(['temperature.yaml']);
});

const made = Object.entries(sets).filter(([name]) => existsSync(join('results', name, 'runs.jsonl')));

test.each(made)('%s: its page is that of its lines', (name, { title, text }) => {
  const folder = join('results', name);
  const lines = [...linesOf(readFileSync(join(folder, 'runs.jsonl'), 'utf8')).values()];
  const page = readFileSync(join(folder, 'README.md'), 'utf8');
  expect(lines.length).toBeGreaterThan(0);
  expect(page).toContain(`# ${title}\n\n${text}`);
  for (const part of markdownTables(compareRuns({ runs: lines.map(runOf), leftOut: [] }))
    .split('\n\n')
    .slice(1)) {
    expect(page).toContain(part.trim());
  }
});
