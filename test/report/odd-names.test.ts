// biome-ignore-all lint/suspicious/noTemplateCurlyInString: a name as a template would have it.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { compareRuns } from '../../src/report/compare.ts';
import { writeRunReport } from '../../src/report/run-report.ts';
import { loadRuns } from '../../src/report/runs.ts';
import { formatResultsTable } from '../../src/report/table.ts';
import { writeReport } from '../../src/report/write.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { writeSyntheticRun } from './synthetic-runs.ts';

/** Names that a prototype, a language or a template may take for its own, each with a plain one of its width and order. */
const twins = [
  ['if', 'ig'],
  ['constructor', 'constructos'],
  ['toString', 'toStrinh'],
  ['__proto__', '__proto_-'],
  ['hasOwnProperty', 'hasOwnPropertz'],
  ['datum', 'datun'],
  ['valueOf', 'valueOg'],
] as const;
const plainly = (text: string): string =>
  twins.reduce((all, [odd, plain]) => all.replaceAll(odd, plain), text.replaceAll('\\_', '_'));

/** All that a report says about runs of such methods and classes; `which` twin names them. */
async function reported(which: 0 | 1): Promise<Record<string, string>> {
  const root = await temporaryFolder();
  const names = twins.map((pair) => pair[which]);
  const runs: string[] = [];
  for (const [i, [method]] of twins.slice(0, 4).entries()) {
    const run = { method, seed: 1, tailLift: i / 10, classes: names, epochs: 2, testPerClass: 5 };
    const summary = { method: names[i]!, name: names[i]! };
    runs.push(await writeSyntheticRun(join(root, String(i)), { ...run, summary, config: { method: names[i] } }));
  }
  const comparison = compareRuns(await loadRuns([root]));
  await writeReport(comparison, join(root, 'report'), { created: new Date(0) });
  await writeRunReport(runs[1]!);
  const files = ['index.html', 'report.json', 'results.csv', 'per-class.csv', 'results.md', 'results.tex'].map((file) =>
    join(root, 'report', file),
  );
  files.push(join(runs[1]!, 'report/curves.svg'), join(runs[1]!, 'report/confusion.svg'));
  const texts = await Promise.all(
    files.map(async (file) => [file.slice(root.length), (await readFile(file, 'utf8')).replaceAll(root, '')] as const),
  );
  return { ...Object.fromEntries(texts), terminal: formatResultsTable(comparison) };
}

test('methods and classes of odd names are reported as those of plain names are', { timeout: 120_000 }, async () => {
  const [odd, plain] = [await reported(0), await reported(1)];
  expect(Object.keys(odd)).toHaveLength(9);
  for (const [file, text] of Object.entries(odd)) {
    expect(text, file).toContain('constructor');
    // Not the texts themselves: a difference would be printed whole.
    const [a, b] = [plainly(text), plainly(plain[file]!)];
    const at = [...a].findIndex((character, i) => character !== b[i]);
    expect([at, a.slice(at - 60, at + 60)], file).toEqual([-1, '']);
    expect(b.length, file).toBe(a.length);
  }
});
