import { compareRuns } from '../src/report/compare.ts';
import { duration } from '../src/report/format.ts';
import { markdownTables } from '../src/report/table.ts';
import { type ResultLine, runOf } from './lines.ts';

/** What a page says of a set of results beside its tables. */
export interface About {
  title: string;
  /** Markdown: what was trained on what, and what a reader must know. */
  text: string;
  /** The command that makes them again. */
  command: string;
  /** Runs of the whole sweep. */
  planned: number;
}

/** `README.md` of a folder of results. */
export function pageOf(lines: readonly ResultLine[], { title, text, command, planned }: About): string {
  const missing = planned - lines.length;
  const state =
    missing > 0 ? `**${missing} of the ${planned} runs ${missing === 1 ? 'is' : 'are'} still to be made.**` : '';
  return `# ${title}

${text}

\`\`\`sh
${command}
\`\`\`

${[state, lines.length > 0 ? madePart(lines) : ''].filter(Boolean).join(' ')}`
    .trimEnd()
    .concat('\n');
}

/** What was made on which machine, and its tables. */
function madePart(lines: readonly ResultLine[]): string {
  const comparison = compareRuns({ runs: lines.map(runOf), leftOut: [] });
  const tables = markdownTables(comparison).split('\n').slice(2).join('\n');
  const seconds = lines.reduce((sum, line) => sum + line.seconds, 0);
  const kinds = [...new Set(lines.map((line) => line.precision))].join(' and ');
  const machines = [...new Set(lines.map(({ machine }) => machine))].map(
    (machine) => `- ${lines.filter((line) => line.machine === machine).length} on ${machine}`,
  );
  const commits = [...new Set(lines.map(({ commit }) => commit))].join(', ');
  return `${lines.length} run${lines.length === 1 ? '' : 's'}, ${duration(seconds)} of training and evaluation, ${kinds}, backend ${[...new Set(lines.map((line) => line.backend))].join(' and ')}:

${machines.join('\n')}

Sources: ${commits}. Each run is a line of [runs.jsonl](runs.jsonl), with the hashes of its config and images, its confusion matrix
and the accuracy of each class. This page is made of them; do not edit it.

${tables}`;
}
