import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { matchesGlob } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { Stryker } from '@stryker-mutator/core';
import { bringBuildUpToDate } from '../support/build.ts';
import { forgetStale, type Report } from './incremental.ts';
import { record } from './report.ts';
import { mutatedIn, rooms } from './rooms.ts';

const USAGE = `npm run mutate -- [ROOM | FILE]… [--changed [--since REF]] [--force]
  ROOM       ${Object.keys(rooms).join(', ')}; without one: all of them
  FILE       source files to mutate, with the tests of their rooms; nothing is recorded
  --changed  the source files that differ from REF (main)
  --force    forget earlier results`;

const SCORE = 90;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    changed: { type: 'boolean', default: false },
    since: { type: 'string', default: 'main' },
    force: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});

/** Mutates a room, or some files of it. */
async function mutate(room: string, files: readonly string[] | null): Promise<boolean> {
  const { mutate, tests } = rooms[room]!;
  process.env.MUTATION_TESTS = tests.join(' ');
  const incrementalFile = `reports/mutation/${room}${files === null ? '' : '-files'}.json`;
  forgetStale(incrementalFile);
  await new Stryker({
    mutate: files ? [...files] : mutatedIn(mutate),
    testRunner: 'vitest',
    vitest: { configFile: 'test/mutation/vitest.config.ts', related: false },
    plugins: ['@stryker-mutator/vitest-runner', fileURLToPath(new URL('ignore-messages.mjs', import.meta.url))],
    ignorers: ['messages'],
    coverageAnalysis: 'perTest',
    ignoreStatic: true,
    incremental: true,
    incrementalFile,
    force: values.force,
    concurrency: 1,
    disableTypeChecks: false,
    dryRunTimeoutMinutes: 20,
    timeoutMS: 20_000,
    reporters: ['progress-append-only'],
    ignorePatterns: ['bench', 'docs', 'native', 'reports', 'runs'],
  }).runMutationTest();
  const report = JSON.parse(readFileSync(incrementalFile, 'utf8')) as Report;
  const { score, unexplained, timeouts } = record(room, report, files === null);
  const list = (what: string, mutants: readonly string[]): string =>
    mutants.map((one) => `\n  ${what}: ${one}`).join('');
  console.log(`${room}: ${score}%${list('survived, unexplained', unexplained)}${list('timed out', timeouts)}`);
  return score >= SCORE && unexplained.length === 0;
}

/** Rooms with the files to mutate in them; null for all. */
function chosen(): Map<string, string[] | null> {
  const isRoom = (name: string): boolean => name in rooms;
  const files = positionals.filter((name) => !isRoom(name));
  if (values.changed) {
    const differing = execFileSync('git', ['diff', '--name-only', '--diff-filter=d', values.since], {
      encoding: 'utf8',
    });
    files.push(...differing.split('\n').filter((file) => file !== ''));
  }
  const byRoom = Object.entries(rooms).map(([room, { mutate }]): [string, string[] | null] => [
    room,
    positionals.includes(room) ? null : files.filter((file) => isMutated(file, mutatedIn(mutate))),
  ]);
  if (positionals.length === 0 && !values.changed) return new Map(byRoom.map(([room]) => [room, null]));
  return new Map(byRoom.filter(([, of]) => of === null || of.length > 0));
}

const isMutated = (file: string, globs: readonly string[]): boolean =>
  globs.some((glob) => matchesGlob(file, glob)) &&
  !globs.some((glob) => glob.startsWith('!') && matchesGlob(file, glob.slice(1)));

const unknown = positionals.filter((name) => !(name in rooms) && !(existsSync(name) && statSync(name).isFile()));
if (values.help || unknown.length > 0) {
  console.log(unknown.length > 0 ? `expected a room or a file, got ${unknown.join(', ')}\n\n${USAGE}` : USAGE);
  process.exit(unknown.length > 0 ? 2 : 0);
}
// The loader's threads run compiled code.
bringBuildUpToDate();
process.env.CI = 'true';
let isGood = true;
for (const [room, files] of chosen()) isGood = (await mutate(room, files)) && isGood;
process.exit(isGood ? 0 : 1);
