import { existsSync } from 'node:fs';
import { basename, dirname, join, relative, resolve } from 'node:path';
import process from 'node:process';
import { displayPath } from '../errors.ts';
import { type Comparison, compareRuns } from '../report/compare.ts';
import { byDataSet, type DataSetRuns } from '../report/data-sets.ts';
import { overviewDocument, type ResultsDocument, resultsDocument } from '../report/document.ts';
import { withImageIntervals } from '../report/image-intervals.ts';
import { type DataSetComparison, overviewOf } from '../report/overview.ts';
import { paperFigures } from '../report/paper.ts';
import { PICTURES } from '../report/pictures/file.ts';
import { type LoadedRun, loadRuns } from '../report/runs.ts';
import { formatOverview, formatResultsTable } from '../report/table.ts';
import { writeOverview, writeReport } from '../report/write.ts';
import { findRun } from '../tracking/run-directory.ts';
import { context, observers } from './context.ts';
import { commandLine, type NextStep, tellNext } from './next.ts';
import { print, printJson, tell } from './output.ts';

/** Options of `tailmix report`. */
export interface ReportCommandOptions {
  /** Folder the report is written to. Default: `report/` in the folder given, or in the one that holds all of them. */
  out?: string;
  /** Print one JSON document on standard output. */
  json?: boolean;
  /** Method that the others are compared with. Default: the one called ERM, else the first. */
  baseline?: string;
  /** Whether the page has the pictures that `tailmix pictures` has made. Default: yes. */
  images?: boolean;
  /** For the title and the page's file. Default: that of the folder, where one is given that holds several runs. */
  name?: string;
}

/** What `tailmix report --json` prints. */
interface ReportCommandDocument extends ResultsDocument {
  /** Absolute path of the page. */
  report: string;
}

/**
 * `tailmix report`: puts runs side by side, writes the report and prints the headline table and the report's path.
 *
 * @param paths - Run directories, folders of them, or names of runs.
 * @returns exit code 0; everything that can go wrong is thrown
 * @throws {TailmixError} Of {@link loadRuns}, {@link compareRuns} and {@link writeReport}.
 */
export async function report(
  paths: readonly string[],
  { out, json = false, baseline, images = true, name }: ReportCommandOptions = {},
): Promise<number> {
  const found = await Promise.all(paths.map(pathOrRun));
  const loaded = await loadRuns(found);
  const directory = out ?? join(sharedFolder(found), 'report');
  const compare = (runs: readonly LoadedRun[]): Promise<Comparison> =>
    withImageIntervals(
      compareRuns({ ...loaded, runs: [...runs] }, { observers, ...(baseline !== undefined && { baseline }) }),
    );
  const sets = byDataSet(loaded.runs);
  if (sets.length > 1)
    return reportOverview(sets, compare, { directory, title: name ?? basename(sharedFolder(found)), images, json });
  const comparison = await compare(loaded.runs);
  const isFolder = found.length === 1 && loaded.runs.length > 1;
  const title = name ?? (isFolder ? basename(resolve(found[0]!)) : undefined);
  const paper = await paperFigures(comparison, context, observers);
  const page = resolve(await writeReport(comparison, directory, { name: title, images, paper }));
  if (json) {
    const document: ReportCommandDocument = { ...resultsDocument(comparison), report: page };
    printJson(document);
  } else {
    print(formatResultsTable(comparison, { width: process.stdout.columns ?? 100 }));
    for (const line of remarks(comparison)) tell(line);
    printFiles(page);
    const [only, ...others] = loaded.runs;
    const pictures = [
      commandLine('pictures', ...(paths.length > 3 ? [displayPath(sharedFolder(found))] : paths)),
      'mixed and wrong images, for the next report',
    ] as const;
    const hasPictures = loaded.runs.some(({ path }) => existsSync(join(path, PICTURES)));
    const next: NextStep[] = [
      ...(only && others.length === 0
        ? [[commandLine('mistakes', only.path), 'the images that it gets wrong'] as const]
        : []),
      ...(hasPictures || !images ? [] : [pictures]),
    ];
    if (next.length > 0) tellNext(...next);
  }
  return 0;
}

/** Runs on several data sets: a report for each, and one page over them. */
async function reportOverview(
  sets: readonly DataSetRuns[],
  compare: (runs: readonly LoadedRun[]) => Promise<Comparison>,
  { directory, json, ...shown }: { directory: string; title: string; images: boolean; json: boolean },
): Promise<number> {
  const dataSets: DataSetComparison[] = [];
  for (const { runs, ...set } of sets) dataSets.push({ ...set, comparison: await compare(runs) });
  const overview = overviewOf(dataSets);
  const papers = await Promise.all(dataSets.map(({ comparison }) => paperFigures(comparison, context, observers)));
  const page = resolve(await writeOverview(overview, directory, { ...shown, papers }));
  if (json) printJson({ ...overviewDocument(overview), report: page });
  else {
    print(formatOverview(overview, process.stdout.columns ?? 100));
    const warnings = dataSets.flatMap(({ name, comparison }) => comparison.warnings.map((line) => `${name}: ${line}`));
    const leftOut = new Map(dataSets.flatMap(({ comparison }) => comparison.leftOut).map((one) => [one.path, one]));
    for (const line of remarks({ warnings, leftOut: [...leftOut.values()] })) tell(line);
    printFiles(page);
  }
  return 0;
}

const printFiles = (page: string): void =>
  print(`\nReport: ${page}\nBibTeX of the plugins that ran: ${join(dirname(page), 'references.bib')}`);

/** A path as it is; the name of a run below `runs` as its directory. What is neither is refused as a path. */
export const pathOrRun = async (path: string): Promise<string> =>
  existsSync(path) ? path : findRun(path).catch(() => path);

/** The one folder given, or the deepest that holds all of several. */
export function sharedFolder(paths: readonly string[]): string {
  const absolute = paths.map((path) => resolve(path));
  if (absolute.length === 1) return absolute[0]!;
  let folder = dirname(absolute[0]!);
  while (absolute.some((path) => relative(folder, path).startsWith('..'))) folder = dirname(folder);
  return folder;
}

function remarks({ warnings, leftOut }: Pick<Comparison, 'warnings' | 'leftOut'>): string[] {
  const list = (title: string, lines: readonly string[]) =>
    lines.length === 0 ? [] : ['', title, ...lines.map((line) => `  ${line}`)];
  return [
    ...list('Before comparing:', warnings),
    ...list(
      'Left out:',
      leftOut.map(({ path, reason }) => `${path}: ${reason}`),
    ),
  ];
}
