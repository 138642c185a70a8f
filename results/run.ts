// npm run results -- SET [--only TEXT] [--data-root DIR] [--out DIR] [--page]: trains the runs of a set that runs.jsonl does not have yet, one after
// the other, and adds a line for each as it ends; then writes the page. Stopped, it goes on where it stopped. --only takes the runs whose
// id has the text, such as `paco-seed0`; --page only writes the page.
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { parseArgs } from 'node:util';
import type { Evaluation, RunSummary } from '../src/metrics/types.ts';
import { spoolFiles } from '../src/tracking/spool/records.ts';
import { lineOf, linesOf, notedCommit, type ResultLine } from './lines.ts';
import { pageOf } from './page.ts';
import { commandFor, sets } from './sets.ts';

interface Listed {
  threads: number;
  runs: { id: string; directory: string }[];
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    'data-root': { type: 'string' },
    only: { type: 'string', default: '' },
    out: { type: 'string' },
    page: { type: 'boolean', default: false },
  },
});
const name = positionals[0] as keyof typeof sets;
if (positionals.length !== 1 || !Object.hasOwn(sets, name)) {
  console.error(`Expected one of ${Object.keys(sets).join(', ')}: npm run results -- digits`);
  process.exit(2);
}
const { sweep, title, text } = sets[name];
const folder = join('results', name);
const file = join(folder, 'runs.jsonl');
const out = values.out ? ['--out', values.out] : [];
const data = values['data-root'] ? ['--data-root', values['data-root']] : [];

const listed = JSON.parse(
  execFileSync(process.execPath, ['bin/tailmix.mjs', 'sweep', sweep, '--list', '--json', ...out, ...data], {
    encoding: 'utf8',
    maxBuffer: 2 ** 26,
  }),
) as Listed;
const lines = existsSync(file) ? linesOf(readFileSync(file, 'utf8')) : new Map<string, ResultLine>();
const before = listed.runs.filter(({ id }) => lines.has(id)).length;
console.log(`${name}: ${before} of ${listed.runs.length} runs are there`);
for (const { id, directory } of values.page ? [] : listed.runs) {
  if (lines.has(id) || !id.includes(values.only)) continue;
  console.log(`${id}: ${lines.size + 1} of ${listed.runs.length}`);
  const summaryFile = join(directory, 'summary.json');
  const commit = existsSync(summaryFile)
    ? notedCommit(readFileSync(join(directory, spoolFiles.spool), 'utf8'))
    : commitOf();
  const arguments_ = ['bin/tailmix.mjs', 'sweep', sweep, '--run', id, ...out, ...data];
  const { status } = spawnSync(process.execPath, arguments_, { stdio: ['ignore', 'ignore', 'inherit'] });
  if (status !== 0) process.exit(status ?? 1);
  const summary = JSON.parse(readFileSync(summaryFile, 'utf8')) as RunSummary & { last: Evaluation };
  lines.set(id, lineOf(summary, { id, commit, machine: `${cpus()[0]!.model}, ${listed.threads} threads` }));
  write();
}
write();

/** Lines in the order of the sweep; runs that it no longer has go. */
function write(): void {
  const kept = listed.runs.flatMap(({ id }) => lines.get(id) ?? []);
  if (kept.length > 0) writeFileSync(file, kept.map((line) => `${JSON.stringify(line)}\n`).join(''));
  writeFileSync(
    join(folder, 'README.md'),
    pageOf(kept, { title, text, command: commandFor(name), planned: listed.runs.length }),
  );
}

function commitOf(): string {
  const git = (...arguments_: string[]) => execFileSync('git', arguments_, { encoding: 'utf8' }).trim();
  return `${git('rev-parse', '--short', 'HEAD')}${git('status', '--porcelain', '--', 'src', 'plugins', 'native') === '' ? '' : '+'}`;
}
