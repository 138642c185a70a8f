import { existsSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import process from 'node:process';
import { type Comparison, compareRuns } from '../report/compare.ts';
import { type ResultsDocument, resultsDocument } from '../report/document.ts';
import { loadRuns } from '../report/runs.ts';
import { formatResultsTable } from '../report/table.ts';
import { writeReport } from '../report/write.ts';
import { findRun } from '../tracking/run-directory.ts';
import { observers } from './context.ts';
import { commandLine, tellNext } from './next.ts';
import { print, printJson, tell } from './output.ts';

/** Options of `tailmix report`. */
export interface ReportCommandOptions {
  /** Folder the report is written to. Default: `report/` in the folder given, or in the one that holds all of them. */
  out?: string;
  /** Print one JSON document on standard output. */
  json?: boolean;
  /** Method that the others are compared with. Default: the one called ERM, else the first. */
  baseline?: string;
}

/** What `tailmix report --json` prints. */
interface ReportCommandDocument extends ResultsDocument {
  /** Absolute path of `index.html`. */
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
  { out, json = false, baseline }: ReportCommandOptions = {},
): Promise<number> {
  const found = await Promise.all(paths.map(pathOrRun));
  const loaded = await loadRuns(found);
  const comparison = compareRuns(loaded, { observers, ...(baseline !== undefined && { baseline }) });
  const page = resolve(await writeReport(comparison, out ?? join(sharedFolder(found), 'report')));
  if (json) {
    const document: ReportCommandDocument = { ...resultsDocument(comparison), report: page };
    printJson(document);
  } else {
    print(formatResultsTable(comparison, { width: process.stdout.columns ?? 100 }));
    for (const line of remarks(comparison)) tell(line);
    print(`\nReport: ${page}`);
    const [only, ...others] = loaded.runs;
    if (only && others.length === 0) tellNext([commandLine('mistakes', only.path), 'the images that it gets wrong']);
  }
  return 0;
}

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

function remarks({ warnings, leftOut }: Comparison): string[] {
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
