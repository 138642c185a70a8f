import { type FurtherSection, furtherSections, furtherTitles } from '../metrics/further.ts';
import { type Spread, spreadOf } from '../metrics/statistics.ts';
import type { Comparison } from './compare.ts';
import { decimalsFor, withSpread } from './format.ts';
import type { LoadedRun } from './runs.ts';

/** Means and deviations over seeds, by name. */
export type NamedSpreads = ReadonlyMap<string, Spread>;

/** Figures of the runs of a method that go by names, over those runs that have them. */
export function spreadsByName(
  runs: readonly LoadedRun[],
  of: (run: LoadedRun) => Readonly<Record<string, number>> | undefined,
): NamedSpreads {
  const found = runs.map((run) => new Map(Object.entries(of(run) ?? {})));
  const names = new Set(found.flatMap((figures) => [...figures.keys()]));
  return new Map([...names].map((name) => [name, spreadOf(found.map((figures) => figures.get(name)))!]));
}

/** Names of figures that plugins gave, of all methods. */
export const pluginFigureNames = (methods: Comparison['methods']): string[] => [
  ...new Set(methods.flatMap(({ pluginFigures }) => [...pluginFigures.keys()])),
];

/** A table of figures beyond the headline. */
export interface FurtherTable {
  title: string;
  /** What the numbers are. */
  caption: string;
  /** Titles of the columns. */
  columns: string[];
  /** By method, then by column; as they are printed. */
  rows: string[][];
}

/** Tables of the further figures, one a section, and one of what plugins gave; figures that no run has are left out. */
export function furtherTables({ methods, testCount }: Comparison): FurtherTable[] {
  const decimals = decimalsFor(testCount);
  const seeds = methods.some((method) => method.seeds.length > 1)
    ? '; mean ± sample standard deviation over seeds'
    : '';
  const table = (
    title: string,
    figures: readonly { name: string; title: string }[],
    { of, unit, cell }: { of: (method: number) => NamedSpreads; unit: string; cell: (spread: Spread | null) => string },
  ): FurtherTable[] => {
    const shown = figures.filter(({ name }) => methods.some((_, i) => of(i).has(name)));
    if (shown.length === 0) return [];
    const rows = methods.map((_, i) => shown.map(({ name }) => cell(of(i).get(name) ?? null)));
    return [{ title, caption: `Last epoch${unit}${seeds}.`, columns: shown.map((figure) => figure.title), rows }];
  };
  return [
    ...(Object.keys(furtherSections) as FurtherSection[]).flatMap((section) =>
      table(furtherTitles[section], furtherSections[section], {
        of: (i) => methods[i]!.further,
        ...(section === 'calibration'
          ? { unit: ', less is better', cell: (spread) => plainSpread(spread, fourDecimals) }
          : { unit: ', in percent', cell: (spread) => withSpread(spread, decimals) }),
      }),
    ),
    ...table(
      'Figures of plugins',
      pluginFigureNames(methods).map((name) => ({ name, title: name })),
      {
        of: (i) => methods[i]!.pluginFigures,
        unit: ', as they gave them',
        cell: (spread) => plainSpread(spread, digits),
      },
    ),
  ];
}

const fourDecimals = (value: number): string => value.toFixed(4);
/** To five digits, whatever the size. */
const digits = (value: number): string => String(Number(value.toPrecision(5))).replace('-', '−');

function plainSpread(spread: Spread | null, show: (value: number) => string): string {
  if (!spread) return '–';
  return spread.sd === null ? show(spread.mean) : `${show(spread.mean)} ± ${show(Number(spread.sd.toPrecision(2)))}`;
}
