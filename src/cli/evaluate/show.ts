import { type FurtherSection, furtherSections, furtherTitles } from '../../metrics/further.ts';
import { classIntervals, supportOf } from '../../metrics/tail.ts';
import type { Evaluation } from '../../metrics/types.ts';
import { fittingTable } from '../../report/fitting-table.ts';
import type { OutOfDistribution } from './ood.ts';

/** What `--metrics` takes. */
export const metricsSections = [...(Object.keys(furtherSections) as FurtherSection[]), 'classes'] as const;
export type MetricsSection = (typeof metricsSections)[number];

/** 95% intervals of the accuracies per class, `[C]`; null for a class without an image. */
export const intervalsOf = ({ perClass, confusion }: Evaluation): ([number, number] | null)[] =>
  classIntervals(perClass, supportOf(confusion ?? [], perClass.length));

interface Shown {
  further: Readonly<Record<string, number>>;
  /** `[C]` each. */
  classes: readonly string[];
  classCounts: readonly number[];
  sections: readonly MetricsSection[];
  /** On the data. */
  notes?: readonly string[];
  ood?: OutOfDistribution | null;
}

const TITLE = 20;
const share = (value: number | null): string => (value === null ? '–' : `${(100 * value).toFixed(2)} %`);

type Row = readonly [title: string, text: string];

/** Rows under one another, their texts too. */
export const linesOf = (rows: readonly Row[]): string[] => rows.map(([title, text]) => `${title.padEnd(TITLE)}${text}`);

/** The figures that runs are compared by. */
export const headline = ({
  accuracy,
  balancedAccuracy,
  many,
  medium,
  few,
  worstClass,
  macroF1,
  ece,
}: Evaluation): Row[] => [
  ['accuracy', `${share(accuracy)}, balanced ${share(balancedAccuracy)}`],
  ['many, medium, few', [many, medium, few].map(share).join(', ')],
  ['worst class', `${worstClass.name}, ${share(worstClass.accuracy)}`],
  ['macro F1, ECE', `${macroF1.toFixed(4)}, ${ece.toFixed(4)}`],
];

/** An evaluation as lines for a terminal: the headline, and the sections that were asked for. */
export function show(title: string, evaluation: Evaluation, shown: Shown): string {
  const { count, figures = {} } = evaluation;
  const own = Object.entries(figures).map(([name, value]) => `${name} ${Number(value.toPrecision(5))}`);
  const rows: Row[] = [
    ['run', `${title}, ${count} images`],
    ...(shown.notes ?? []).map((note) => ['data', note] as const),
    ...headline(evaluation),
    ...(shown.ood
      ? [
          ['out of distribution', `AUROC ${share(shown.ood.auroc)}, FPR95 ${share(shown.ood.fpr95)}`] as const,
          ['', `by the highest probability, ${shown.ood.count} images of ${shown.ood.folder}`] as const,
        ]
      : []),
    ...(own.length > 0 ? [['plugins', own.join(', ')] as const] : []),
  ];
  return [...linesOf(rows), ...shown.sections.flatMap((section) => sectionLines(section, evaluation, shown))].join(
    '\n',
  );
}

function sectionLines(section: MetricsSection, evaluation: Evaluation, shown: Shown): string[] {
  if (section === 'classes') return ['', 'Accuracy per class, with 95% intervals', ...classTable(evaluation, shown)];
  const figures = furtherSections[section].filter(({ name }) => shown.further[name] !== undefined);
  const isShare = section !== 'calibration';
  return [
    '',
    furtherTitles[section],
    ...figures.map(({ name, title }) => {
      const value = shown.further[name]!;
      return `  ${title.padEnd(TITLE + 8)}${isShare ? share(value) : value.toFixed(4)}`;
    }),
  ];
}

function classTable(evaluation: Evaluation, { classes, classCounts }: Shown): string[] {
  const support = supportOf(evaluation.confusion ?? [], classes.length);
  const intervals = intervalsOf(evaluation);
  const columns = [
    { head: 'class', cells: [...classes] },
    { head: 'training', cells: classCounts.map(String) },
    { head: 'test', cells: Array.from(support, String) },
    { head: 'accuracy', cells: evaluation.perClass.map(share) },
    { head: 'from', cells: intervals.map((interval) => share(interval?.[0] ?? null)) },
    { head: 'to', cells: intervals.map((interval) => share(interval?.[1] ?? null)) },
  ];
  return fittingTable(columns, Number.POSITIVE_INFINITY);
}
