import { readFileSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import process from 'node:process';
import { parse } from 'yaml';
import type { Mutant, Report } from './incremental.ts';
import { rooms } from './rooms.ts';

/** A mutant that no test sees, and why: it changes nothing that could be seen (`equivalent`), or none is worth it. */
interface Explanation {
  /** The line of code that it begins on, without its indentation. */
  line: string;
  /** `what it was → what it became`, one or several. */
  mutant: string | string[];
  equivalent?: string;
  survives?: string;
}

interface Unseen {
  file: string;
  line: number;
  code: string;
  mutant: string;
  why?: string;
}

interface Result {
  date: string;
  machine: string;
  mutants: number;
  killed: number;
  survived: Unseen[];
  equivalent: Unseen[];
  /** Not run: decided while a module is loaded, or words of a message. */
  ignored: number;
}

const RESULTS = 'test/mutation/results.json';
const EXPLAINED = 'test/mutation/explained.yaml';
const DOCUMENT = 'docs/mutation.md';

const oneLine = (text: string): string => {
  const words = text.replace(/\s+/g, ' ').trim();
  return words.length > 90 ? `${words.slice(0, 89)}…` : words;
};

function textOf(source: string, { start, end }: Mutant['location']): string {
  const lines = source.split('\n').slice(start.line - 1, end.line);
  lines[lines.length - 1] = lines.at(-1)!.slice(0, end.column - 1);
  lines[0] = lines[0]!.slice(start.column - 1);
  return lines.join('\n');
}

/** A mutant as it is written down. */
function unseenOf(file: string, source: string, { location, replacement }: Mutant): Unseen {
  const { line } = location.start;
  const code = source.split('\n')[line - 1]!.trim();
  return { file, line, code, mutant: `${oneLine(textOf(source, location))} → ${oneLine(replacement) || 'nothing'}` };
}

const score = ({ mutants, survived }: Result): number =>
  Math.floor((1000 * (mutants - survived.length)) / mutants) / 10;

/** What a room's report comes to, beside the explanations. */
export function summarise({ files }: Report, explained: Readonly<Record<string, readonly Explanation[]>>): Result {
  const result: Result = {
    date: new Date().toISOString().slice(0, 10),
    machine: `${cpus()[0]!.model.trim()}, ${cpus().length} cores, Node.js ${process.version.slice(1)}`,
    mutants: 0,
    killed: 0,
    survived: [],
    equivalent: [],
    ignored: 0,
  };
  for (const [file, { source, mutants }] of Object.entries(files)) {
    for (const mutated of mutants) {
      const { status } = mutated;
      if (status === 'Ignored') result.ignored++;
      if (status === 'Killed' || status === 'Timeout') result.killed++;
      if (status !== 'Survived' && status !== 'NoCoverage') continue;
      const found = unseenOf(file, source, mutated);
      const { code, mutant } = found;
      const explanation = explained[file]?.find((one) => one.line === code && [one.mutant].flat().includes(mutant));
      const why = explanation?.equivalent ?? explanation?.survives;
      const unseen = { ...found, ...(why !== undefined && { why }) };
      (explanation?.equivalent === undefined ? result.survived : result.equivalent).push(unseen);
    }
  }
  result.mutants = result.killed + result.survived.length;
  return result;
}

/** Mutants that ran too long, which counts as killed: each is an endless loop, or the machine was busy. */
export const timeoutsOf = ({ files }: Report): string[] =>
  Object.entries(files).flatMap(([file, { source, mutants }]) =>
    mutants
      .filter(({ status, statusReason = '' }) => status === 'Timeout' || /timed out in \d+ms/.test(statusReason))
      .map((mutant) => inWords(unseenOf(file, source, mutant))),
  );

/** Explanations of mutants that a report does not have, or has as killed. */
function unused(
  { survived, equivalent }: Result,
  { files }: Report,
  explained: Readonly<Record<string, readonly Explanation[]>>,
): string[] {
  const key = (file: string, line: string, mutant: string): string => `${file}: ${line}: ${mutant}`;
  const unseen = new Set([...survived, ...equivalent].map(({ file, code, mutant }) => key(file, code, mutant)));
  return Object.keys(files)
    .flatMap((file) =>
      (explained[file] ?? []).flatMap(({ line, mutant }) => [mutant].flat().map((one) => key(file, line, one))),
    )
    .filter((one) => !unseen.has(one));
}

/** Scores a report; that of a whole room is kept, and written into the document. */
export function record(
  room: string,
  report: Report,
  isWhole: boolean,
): Record<'unexplained' | 'timeouts', string[]> & { score: number } {
  const explained = parse(readFileSync(EXPLAINED, 'utf8')) as Readonly<Record<string, readonly Explanation[]>>;
  const result = summarise(report, explained);
  const before = JSON.parse(readFileSync(RESULTS, 'utf8')) as Record<string, Result>;
  const results = Object.fromEntries(
    Object.keys(rooms).flatMap((name) => {
      const one = name === room ? result : before[name];
      return one ? [[name, one]] : [];
    }),
  );
  if (isWhole) {
    writeFileSync(RESULTS, `${JSON.stringify(results, null, 2)}\n`);
    writeFileSync(DOCUMENT, documentOf(results));
  }
  const stale = unused(result, report, explained).map((one) => `${one} is explained, but killed or gone`);
  const unexplained = [...result.survived.filter(({ why }) => !why).map(inWords), ...stale];
  return { score: score(result), unexplained, timeouts: timeoutsOf(report) };
}

const inWords = ({ file, line, mutant, why }: Unseen): string =>
  `${file}:${line} \`${mutant.replaceAll('`', "'")}\`${why === undefined ? '' : `: ${why}`}`;

/** docs/mutation.md. */
export function documentOf(results: Readonly<Record<string, Result>>): string {
  const rows = Object.entries(results).map(([room, result]) => {
    const { mutants, killed, survived, equivalent, ignored, date } = result;
    const cells = [room, mutants, killed, survived.length, `${score(result)}%`, equivalent.length, ignored, date];
    return `| ${cells.join(' | ')} |`;
  });
  const missing = Object.keys(rooms).filter((room) => !(room in results));
  const machines = [...new Set(Object.values(results).map(({ machine }) => machine))];
  const list = (title: string, of: (result: Result) => Unseen[]): string[] => {
    const parts = Object.entries(results).filter(([, result]) => of(result).length > 0);
    return parts.flatMap(([room, result]) => [
      `### ${title}: ${room}`,
      '',
      ...of(result).map((unseen) => `- ${inWords(unseen)}`),
      '',
    ]);
  };
  return [
    HEAD,
    '| room | mutants | killed | survived | score | equivalent | not run | date |',
    '|---|---|---|---|---|---|---|---|',
    ...rows,
    '',
    `Measured on: ${machines.join('; ')}.${missing.length > 0 ? ` Not measured yet: ${missing.join(', ')}.` : ''}`,
    '',
    TAIL,
    ...list('Survived', ({ survived }) => survived),
    ...list('Equivalent', ({ equivalent }) => equivalent),
  ].join('\n');
}

const HEAD = `# Mutation testing

Do the tests notice a wrong line? [Stryker](https://stryker-mutator.io/docs/stryker-js/introduction/) changes one operator,
condition, number or call at a time and runs the tests that reach it; a mutant that no test fails on has survived.
\`npm run mutate ROOM\` does this for a room and writes this page.

The score is killed ÷ mutants. Every survivor is listed below with the reason why it is left. An equivalent mutant computes
the same; it is listed and not counted. Not run, and not counted, are mutants of what is evaluated while a module loads
(constants, option schemas) and of the words of messages, which snapshots hold.
`;

const TAIL = `How it is run: the tests of a room are the files that [rooms.ts](../test/mutation/rooms.ts) names, in a thread, so on
WebAssembly: TensorFlow's native library loads in the main thread only, and tests that need it are skipped. That the captured
step computes the same is what \`test/step\` tests. Packages stay loaded from mutant to mutant, modules of this repository do not.
Results are kept in \`reports/mutation/\`: a second run tests only mutants that are new, survived, or whose test has changed. It
cannot see a change of a file that is neither mutated nor a test; \`--force\` runs everything.
`;
