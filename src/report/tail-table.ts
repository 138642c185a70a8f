import { grouped } from '../util/grouped.ts';
import { classBins } from './class-bins.ts';

/** Counts of a data set, each `[C]` in label order. */
export interface TailCounts {
  classes: readonly string[];
  /** What the bars show. */
  train: readonly number[];
  /** Training images before a profile; left out where it is the same. */
  all: readonly number[];
  /** Left out where it is not known. */
  test: readonly number[] | null;
}

/** Eighths of a column, as a bar ends. */
const EIGHTHS = ['', '▏', '▎', '▍', '▌', '▋', '▊', '▉'];
const [NAME_LIMIT, SHORTEST_BAR, LONGEST_BAR] = [24, 10, 60];

/**
 * The long tail for a terminal: classes from head to tail with their counts and a bar each. Many classes are put
 * together to bins of neighbours, whose bars show the mean.
 *
 * @param options.width - Columns of the terminal. Default 80.
 */
export function formatTail({ classes, train, all, test }: TailCounts, { width = 80 }: { width?: number } = {}): string {
  const bins = classBins(classes, train, { single: 30, bins: 20 });
  const isEach = bins.every(({ members }) => members.length === 1);
  const sum = (counts: readonly number[], members: readonly number[]): number =>
    members.reduce((total, label) => total + counts[label]!, 0);
  const means = bins.map(({ members }) => sum(train, members) / members.length);
  const columns = [
    { head: isEach ? 'train' : 'train, each', cells: bins.map(({ detail }) => detail) },
    ...(all.some((n, label) => n !== train[label])
      ? [{ head: 'all', cells: bins.map(({ members }) => grouped(sum(all, members))) }]
      : []),
    ...(test ? [{ head: 'test', cells: bins.map(({ members }) => grouped(sum(test, members))) }] : []),
  ].map((column) => ({ ...column, width: Math.max(column.head.length, ...column.cells.map((cell) => cell.length)) }));
  const names = bins.map(({ label }) => shorten(label));
  const head = isEach ? 'class' : 'classes';
  const nameWidth = Math.max(head.length, ...names.map((name) => [...name].length));
  const used = nameWidth + columns.reduce((total, column) => total + 2 + column.width, 0) + 2;
  const barWidth = Math.min(LONGEST_BAR, Math.max(SHORTEST_BAR, width - used));
  const most = Math.max(1, ...means);
  const pad = (name: string): string => name + ' '.repeat(nameWidth - [...name].length);
  const line = (name: string, cell: (column: (typeof columns)[number]) => string, bar = ''): string =>
    [pad(name), ...columns.map((column) => cell(column).padStart(column.width)), bar].join('  ').trimEnd();
  return [
    line(head, (column) => column.head),
    ...bins.map((_, i) => line(names[i]!, ({ cells }) => cells[i]!, barOf((means[i]! / most) * barWidth))),
  ].join('\n');
}

/** A bar of a length in columns; whatever is there shows. */
function barOf(length: number): string {
  const eighths = Math.max(length > 0 ? 1 : 0, Math.round(8 * length));
  return '█'.repeat(Math.floor(eighths / 8)) + EIGHTHS[eighths % 8]!;
}

/** Folder names may hold control characters, which a terminal would obey. */
const plain = (name: string): string => name.replace(/\p{Cc}/gu, '\ufffd');

function shorten(name: string): string {
  const characters = [...plain(name)];
  if (characters.length <= NAME_LIMIT) return characters.join('');
  return `${characters.slice(0, NAME_LIMIT - 8).join('')}…${characters.slice(-7).join('')}`;
}
