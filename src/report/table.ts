import { describeGroups } from '../metrics/groups.ts';
import type { Comparison, MethodResult } from './compare.ts';
import { type Figure, type FigureKey, figures } from './figures.ts';
import { fittingTable } from './fitting-table.ts';
import { capital, decimalsFor, interval, percent, points, pValue, withSpread } from './format.ts';
import { furtherTables } from './further.ts';

/** From this many classes on, tables show top-5: of ten classes half are always among five. */
const top5From = 100;

/** Figures the tables show: those that at least one method has. */
export const figuresShown = ({ methods, classes }: Comparison): Figure[] =>
  figures.filter(
    ({ key }) =>
      (key !== 'top5' || classes.length >= top5From) && methods.some((method) => method.figures[key] !== null),
  );

/** Whether a method's mean prints the same as the best one of its column; none is best among fewer than two. */
export function bestOfColumns(
  { methods }: Comparison,
  decimals: number,
): (method: MethodResult, key: FigureKey) => boolean {
  const printed = (method: MethodResult, key: FigureKey): string | null =>
    method.figures[key] && percent(method.figures[key].mean, decimals);
  const best = new Map(
    figures.map(({ key, better }) => {
      const values = methods.flatMap((method) => printed(method, key) ?? []).sort((a, b) => Number(a) - Number(b));
      return [key, values.length < 2 ? null : values.at(better === 'high' ? -1 : 0)!];
    }),
  );
  return (method, key) => best.get(key) !== null && printed(method, key) === best.get(key);
}

/** Left of `width` as far as it fits, without cutting the first ones off. */
const terminalOrder = [
  'accuracy',
  'balancedAccuracy',
  'many',
  'medium',
  'few',
  'worstClass',
  'macroF1',
  'ece',
] as const;

/**
 * The headline table for a terminal: last epoch, in percent, mean ± sd over seeds. Columns that do not fit `width` are
 * left off from the right; long method names are cut in the middle.
 *
 * @param options.width - Columns of the terminal. Default 100.
 */
export function formatResultsTable(comparison: Comparison, { width = 100 }: { width?: number } = {}): string {
  const { methods, testCount, groups } = comparison;
  const decimals = decimalsFor(testCount);
  const shown = figuresShown(comparison);
  const columns = [
    { head: 'method', cells: methods.map(({ label }) => shorten(label, 28)) },
    { head: 'seeds', cells: methods.map(({ seeds }) => String(seeds.length)) },
    ...terminalOrder.flatMap((key) => {
      const figure = shown.find((candidate) => candidate.key === key);
      if (!figure) return [];
      const cells = methods.map((method) => withSpread(method.figures[key], decimals, { plusMinus: '±' }));
      return [{ head: figure.short, cells }];
    }),
  ];
  const spreadNote = methods.some(({ seeds }) => seeds.length > 1) ? ', mean ± sd over seeds' : '';
  return [
    `Last epoch, ${testCount} test images, in percent${spreadNote}.`,
    '',
    ...fittingTable(columns, width),
    '',
    describeGroups(groups),
  ].join('\n');
}

const shorten = (text: string, length: number): string =>
  text.length <= length ? text : `${text.slice(0, length - 12)}…${text.slice(-11)}`;

const protocols = [
  { key: 'bestOnTest', title: 'Best on test', group: 'Best on test (optimistic)' },
  { key: 'chosenOnValidation', title: 'Chosen on validation', group: 'Chosen on validation' },
  { key: 'lastFiveMedian', title: 'Last-5 median', group: 'Last-five median' },
] as const;

/** Figures apart from the headline; those of the epoch chosen on validation where a method has them. */
export const protocolsShown = ({ methods }: Pick<Comparison, 'methods'>): readonly (typeof protocols)[number][] =>
  protocols.filter(({ key }) => key !== 'chosenOnValidation' || methods.some((method) => method[key]));

/** What the interval and p of a difference are, and what they do not say. */
export function testsInWords({ methods }: Pick<Comparison, 'methods'>): string {
  const tests = methods.filter(({ difference }) => difference?.correctedP != null).length;
  const corrected = tests > 1 ? `, corrected for ${tests} comparisons (Holm)` : '';
  return `95 %: interval of the mean difference of balanced accuracy, by Student's t over the seeds. p: paired t-test of it${corrected}. Both speak of other seeds on these images, not of other images; with few seeds they can show large differences only.`;
}

/** `results.md`: the headline table and, apart from it, best-on-test, last-five median, differences and further figures. */
export function markdownTables(comparison: Comparison): string {
  const { methods, testCount, groups, dataset, warnings } = comparison;
  const decimals = decimalsFor(testCount);
  const shown = figuresShown(comparison);
  const others = protocolsShown(comparison);
  const table = (head: string[], row: (method: MethodResult) => string[], rows: readonly MethodResult[] = methods) =>
    [head, head.map((_, i) => (i === 0 ? '---' : '---:')), ...rows.map(row)]
      .map((cells) => `| ${cells.join(' | ')} |`)
      .join('\n');
  const name = ({ label }: MethodResult) => markdownText(label);
  const parts = [
    `# ${markdownText(dataset)}: ${methods.length} ${methods.length === 1 ? 'method' : 'methods'}`,
    `Last epoch, ${testCount} test images, in percent; mean ± sample standard deviation over seeds. ${capital(describeGroups(groups))}.`,
    table(['Method', 'Seeds', ...shown.map(({ title }) => title)], (method) => [
      name(method),
      String(method.seeds.length),
      ...shown.map(({ key }) => withSpread(method.figures[key], decimals)),
    ]),
    '**Best on test is optimistic**: the epoch was chosen on the test set itself. It is here only to compare with papers that report it.',
    table(['Method', ...others.flatMap(({ title }) => [`${title}: accuracy`, `${title}: balanced`])], (method) => [
      name(method),
      ...others.flatMap(({ key }) => [
        withSpread(method[key]?.accuracy ?? null, decimals),
        withSpread(method[key]?.balancedAccuracy ?? null, decimals),
      ]),
    ]),
    ...differenceParts(comparison, table),
    ...furtherTables(comparison).flatMap(({ title, caption, columns, rows }) => [
      `## ${title}`,
      caption,
      table(['Method', ...columns.map(markdownText)], (method) => [name(method), ...rows[methods.indexOf(method)]!]),
    ]),
    ...(warnings.length > 0 ? [`Before comparing:\n\n${warnings.map((w) => `- ${markdownText(w)}`).join('\n')}`] : []),
  ];
  return `${parts.join('\n\n')}\n`;
}

function differenceParts(
  comparison: Comparison,
  table: (head: string[], row: (method: MethodResult) => string[], methods: readonly MethodResult[]) => string,
): string[] {
  const decimals = decimalsFor(comparison.testCount);
  const [baseline, ...others] = comparison.methods;
  const paired = others.filter(({ difference }) => difference);
  if (paired.length === 0) return [];
  const rows = table(
    ['Method', 'Wins', 'Balanced', '95 %', 'p'],
    ({ label, difference }) => {
      const { wins, seeds, balanced, correctedP } = difference!;
      return [
        markdownText(label),
        `${wins} of ${seeds.length}`,
        withSpread(balanced, decimals, { show: points }),
        balanced.interval ? interval(balanced.interval, decimals) : '–',
        correctedP === null ? '–' : pValue(correctedP),
      ];
    },
    paired,
  );
  const tested = paired.some(({ difference }) => difference!.balanced.interval);
  return [
    `Difference to ${markdownText(baseline!.label)} in points of balanced accuracy, each run against that of the same seed and the same images.${tested ? ` ${testsInWords(comparison)}` : ''}`,
    rows,
  ];
}

/** Text as it stands, also inside a table cell. */
const markdownText = (text: string): string => text.replace(/[\\`*_[\]<>|#]/g, '\\$&').replace(/\s+/g, ' ');
