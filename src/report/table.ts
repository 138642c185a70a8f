import { describeGroups } from '../metrics/groups.ts';
import { grouped } from '../util/grouped.ts';
import { wrapText } from '../util/wrap-text.ts';
import { classColumns } from './class-bins.ts';
import type { Comparison, MethodResult } from './compare.ts';
import { costsShown } from './cost.ts';
import { type Figure, type FigureKey, figures } from './figures.ts';
import { fittingTable } from './fitting-table.ts';
import { capital, decimalsFor, interval, percent, points, pValue, withSpread } from './format.ts';
import { furtherTables } from './further.ts';
import { type Overview, overviewRows, ranksInWords } from './overview.ts';
import { type PaperFigures, paperNote } from './paper.ts';

/** From this many classes on, tables show top-5: of ten classes half are always among five. */
const top5From = 100;

/** Figures the tables show: those that at least one method has. */
export const figuresShown = ({ methods, classes }: Comparison): Figure[] =>
  figures.filter(
    ({ key }) =>
      (key !== 'top5' || classes.length >= top5From) && methods.some((method) => method.figures[key] !== null),
  );

/** The best of printed numbers; null of fewer than two. */
export function bestPrinted(printed: readonly (string | null)[], better: 'high' | 'low' = 'high'): string | null {
  const values = printed.flatMap((value) => value ?? []).sort((a, b) => Number(a) - Number(b));
  return values.length < 2 ? null : values.at(better === 'high' ? -1 : 0)!;
}

/** Whether a method's mean prints the same as the best one of its column; none is best among fewer than two. */
export function bestOfColumns(
  { methods }: Comparison,
  decimals: number,
): (method: MethodResult, key: FigureKey) => boolean {
  const printed = (method: MethodResult, key: FigureKey): string | null =>
    method.figures[key] && percent(method.figures[key].mean, decimals);
  const best = new Map(
    figures.map(({ key, better }) => {
      const values = methods.map((method) => printed(method, key));
      return [key, bestPrinted(values, better)];
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
 * left off from the right; a long name of a method goes on in the next line.
 *
 * @param options.width - Columns of the terminal. Default 100.
 */
export function formatResultsTable(comparison: Comparison, { width = 100 }: { width?: number } = {}): string {
  const { methods, testCount, groups } = comparison;
  const decimals = decimalsFor(testCount);
  const shown = figuresShown(comparison);
  const columns = [
    { head: 'method', cells: methods.map(({ label }) => wrapText(label, NAME_WIDTH).join('\n')) },
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

/** Columns of a method's name; a longer one goes on in the next line. */
const NAME_WIDTH = 28;

const protocols = [
  { key: 'bestOnTest', title: 'Best on test', group: 'Best on test (optimistic)' },
  { key: 'chosenOnValidation', title: 'Chosen on validation', group: 'Chosen on validation' },
  { key: 'lastFiveMedian', title: 'Last-5 median', group: 'Last-five median' },
] as const;

/** Figures apart from the headline; those of the epoch chosen on validation where a method has them. */
export const protocolsShown = ({ methods }: Pick<Comparison, 'methods'>): readonly (typeof protocols)[number][] =>
  protocols.filter(({ key }) => key !== 'chosenOnValidation' || methods.some((method) => method[key]));

const validationFigures = [
  { key: 'last', title: 'Validation, last epoch', short: 'Last epoch' },
  { key: 'chosen', title: 'Validation, chosen epoch', short: 'Chosen epoch' },
] as const;

/** Figures on the validation split; none where no method has them. */
export const validationShown = ({
  methods,
}: Pick<Comparison, 'methods'>): readonly (typeof validationFigures)[number][] =>
  methods.some(({ validation }) => validation) ? validationFigures : [];

/** What the intervals and p of a difference are, and what they do not say. */
export function testsInWords({ methods }: Pick<Comparison, 'methods'>): string {
  const differences = methods.flatMap(({ difference }) => difference ?? []);
  const tests = differences.filter(({ correctedP }) => correctedP !== null).length;
  const corrected = tests > 1 ? `, corrected for ${tests} comparisons (Holm)` : '';
  const images = differences.find(({ overImages }) => overImages)?.overImages;
  return [
    tests > 0 &&
      `95 %: interval of the mean difference of balanced accuracy, by Student's t over the seeds. p: paired t-test of it${corrected}. Both speak of other seeds on these images, not of other images; with few seeds they can show large differences only.`,
    images &&
      `95 % over images: bootstrap of the test images, ${grouped(images.resamples)} resamples within each class, the same for all methods; the seeds stay as they are. It speaks of other test images, not of other seeds or other training images; where a class has few test images it is too narrow. Neither interval is corrected for the number of methods, and no interval here covers seeds and images together.`,
  ]
    .filter(Boolean)
    .join(' ');
}

/** `results.md`: the headline table, that of single classes where they are few; apart from these best-on-test, last-five median, differences, further figures and costs. */
export function markdownTables(comparison: Comparison): string {
  const { methods, testCount, groups, dataset, warnings, classes, classCounts } = comparison;
  const decimals = decimalsFor(testCount);
  const shown = figuresShown(comparison);
  const costs = costsShown(comparison);
  const others = protocolsShown(comparison);
  const validated = validationShown(comparison);
  const single = classColumns(classes, classCounts);
  const table = (head: string[], row: (method: MethodResult) => string[], rows: readonly MethodResult[] = methods) =>
    markdownTable(head, rows.map(row));
  const name = ({ label }: MethodResult) => markdownText(label);
  const parts = [
    `# ${markdownText(dataset)}: ${methods.length} ${methods.length === 1 ? 'method' : 'methods'}`,
    `Last epoch, ${testCount} test images, in percent; mean ± sample standard deviation over seeds. ${capital(describeGroups(groups))}.`,
    table(['Method', 'Seeds', ...shown.map(({ title }) => title)], (method) => [
      name(method),
      String(method.seeds.length),
      ...shown.map(({ key }) => withSpread(method.figures[key], decimals)),
    ]),
    ...(single.length === 0
      ? []
      : [
          'Accuracy of each class, by the same rules, in brackets its training images.',
          table(['Method', ...single.map(({ label, detail }) => `${markdownText(label)} (${detail})`)], (method) => [
            name(method),
            ...single.map(({ members: [label] }) => withSpread(method.perClass[label!]!, decimals)),
          ]),
        ]),
    '**Best on test is optimistic**: the epoch was chosen on the test set itself. It is here only to compare with papers that report it.',
    table(
      [
        'Method',
        ...validated.map(({ title }) => `${title}: balanced`),
        ...others.flatMap(({ title }) => [`${title}: accuracy`, `${title}: balanced`]),
      ],
      (method) => [
        name(method),
        ...validated.map(({ key }) => withSpread(method.validation?.[key] ?? null, decimals)),
        ...others.flatMap(({ key }) => [
          withSpread(method[key]?.accuracy ?? null, decimals),
          withSpread(method[key]?.balancedAccuracy ?? null, decimals),
        ]),
      ],
    ),
    ...differenceParts(comparison, table),
    ...furtherTables(comparison).flatMap(({ title, caption, columns, rows }) => [
      `## ${title}`,
      caption,
      table(['Method', ...columns.map(markdownText)], (method) => [name(method), ...rows[methods.indexOf(method)]!]),
    ]),
    '## Cost',
    table(['Method', ...costs.map(({ title }) => title)], (method) => [
      name(method),
      ...costs.map(({ of }) => of(method)),
    ]),
    ...(warnings.length > 0 ? [`Before comparing:\n\n${warnings.map((w) => `- ${markdownText(w)}`).join('\n')}`] : []),
  ];
  return `${parts.join('\n\n')}\n`;
}

/** Of `results.md`: a paper's figures beside those of the runs. */
export function paperMarkdown(paper: PaperFigures, testCount: number): string {
  const decimals = decimalsFor(testCount);
  const rows = paper.figures.map(({ method, table, paper: theirs, ours, differs }) => [
    markdownText(method),
    String(table),
    percent(theirs, 2),
    withSpread(ours, decimals),
    String(ours.n),
    points(ours.mean - theirs, decimals),
    markdownText(differs.join('; ') || 'nothing in the config'),
  ]);
  const head = ['Method', 'Table', 'Paper', 'Here', 'Runs here', 'Difference', 'What differs'];
  return ['## Beside the paper', markdownTable(head, rows), markdownText(paperNote(paper)), ''].join('\n\n');
}

/** `results.md`. */
export function overviewMarkdown(overview: Overview, title: string): string {
  const { head, rows } = overviewRows(overview);
  const parts = [
    `# ${markdownText(title)}`,
    'Balanced accuracy of the last epoch, in percent; mean ± sample standard deviation over seeds.',
    markdownTable(
      head.map(markdownText),
      rows.map((cells) => cells.map(markdownText)),
    ),
    ...ranksInWords(overview).map(markdownText),
  ];
  return `${parts.join('\n\n')}\n`;
}

/** The same for a terminal of `width` columns. */
export function formatOverview(overview: Overview, width: number): string {
  const { head, rows } = overviewRows(overview);
  const columns = head.map((text, i) => ({
    head: text,
    cells: rows.map((cells) => (i === 0 ? wrapText(cells[0]!, NAME_WIDTH).join('\n') : cells[i]!.replace(' ± ', '±'))),
  }));
  return [
    'Balanced accuracy of the last epoch, in percent, mean ± sd over seeds.',
    '',
    ...fittingTable(columns, width),
    '',
    ...ranksInWords(overview),
  ].join('\n');
}

/** A table in Markdown: the first column set to the left, the others to the right. */
export const markdownTable = (head: readonly string[], rows: readonly (readonly string[])[]): string =>
  [head, head.map((_, i) => (i === 0 ? '---' : '---:')), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n');

function differenceParts(
  comparison: Comparison,
  table: (head: string[], row: (method: MethodResult) => string[], methods: readonly MethodResult[]) => string,
): string[] {
  const decimals = decimalsFor(comparison.testCount);
  const [baseline, ...others] = comparison.methods;
  const paired = others.filter(({ difference }) => difference);
  if (paired.length === 0) return [];
  const overImages = paired.some(({ difference }) => difference!.overImages);
  const rows = table(
    ['Method', 'Wins', 'Balanced', '95 %', 'p', ...(overImages ? ['95 % over images'] : [])],
    ({ label, difference }) => {
      const { wins, seeds, balanced, correctedP, overImages: images } = difference!;
      return [
        markdownText(label),
        `${wins} of ${seeds.length}`,
        withSpread(balanced, decimals, { show: points }),
        balanced.interval ? interval(balanced.interval, decimals) : '–',
        correctedP === null ? '–' : pValue(correctedP),
        ...(overImages ? [images?.interval ? interval(images.interval, decimals) : '–'] : []),
      ];
    },
    paired,
  );
  return [
    `Difference to ${markdownText(baseline!.label)} in points of balanced accuracy, each run against that of the same seed and the same images. ${testsInWords(comparison)}`.trimEnd(),
    rows,
  ];
}

/** Text as it stands, also inside a table cell. */
const markdownText = (text: string): string => text.replace(/[\\`*_[\]<>|#]/g, '\\$&').replace(/\s+/g, ' ');
