import { resolve } from 'node:path';
import { loadBackend } from '../../backend/load.ts';
import type { RunContext } from '../../config/load.ts';
import { displayPath } from '../../errors.ts';
import { type BoundaryPanel, drawBoundaries } from '../../report/charts/boundaries.ts';
import { confusionSpec } from '../../report/charts/confusion.ts';
import { optionSpec } from '../../report/charts/option.ts';
import { drawChartFile } from '../../report/charts/render.ts';
import { classBins } from '../../report/class-bins.ts';
import { type Comparison, compareRuns } from '../../report/compare.ts';
import { noRuns, nothingToDraw } from '../../report/errors.ts';
import { percent } from '../../report/format.ts';
import { loadRuns } from '../../report/runs.ts';
import { writeFileAtomic } from '../../tracking/write-file.ts';
import { openRun } from '../../trained/open.ts';
import { evaluatePlane } from '../../trained/plane.ts';
import { checkPlace, context, observers } from '../context.ts';
import { print, printJson } from '../output.ts';
import { pathOrRun } from '../report.ts';
import type { FigureKind } from './kinds.ts';

/** Options of `tailmix figure`. */
export interface FigureCommandOptions extends Pick<RunContext, 'trust' | 'sources'> {
  /** SVG file. Default: `<kind>.svg`. */
  out?: string;
  /** Of `tau`: key of the resolved config. Default: that of Remix's τ. */
  option: string;
  /** Print one JSON document on standard output. */
  json?: boolean;
}

/**
 * `tailmix figure`: a figure of a paper from runs, as an SVG file.
 *
 * @param paths - Run directories, folders of them, or names of runs.
 * @throws {TailmixError} FIGURE_NO_PLANE, FIGURE_OPTION, FIGURE_EMPTY, and what reading runs and writing a file throw.
 */
export async function figure(
  kind: FigureKind,
  paths: readonly string[],
  { out = `${kind}.svg`, option, json = false, ...opening }: FigureCommandOptions,
): Promise<number> {
  checkPlace('--out', out);
  const found = await Promise.all(paths.map(pathOrRun));
  const draw = {
    boundaries: () => boundaries(found, opening),
    confusion: () => confusion(found),
    tau: () => overOption(found, option),
  }[kind];
  await writeFileAtomic(resolve(out), await draw());
  if (json) printJson({ kind, figure: resolve(out) });
  else print(displayPath(resolve(out)));
  return 0;
}

/** Of each method the run of the lowest seed; a row for each data set. */
async function boundaries(paths: readonly string[], opening: Pick<RunContext, 'trust' | 'sources'>): Promise<string> {
  const loaded = await loadRuns(paths);
  if (loaded.runs.length === 0) throw noRuns(loaded.leftOut);
  const first = new Map<string, (typeof loaded.runs)[number]>();
  for (const run of loaded.runs.toSorted((a, b) => a.summary.seed - b.summary.seed)) {
    const key = JSON.stringify([run.summary.dataset, run.summary.method]);
    if (!first.has(key)) first.set(key, run);
  }
  const rows = new Map<string, BoundaryPanel[]>();
  const chosen = new Set(first.values());
  for (const { path, summary } of loaded.runs.filter((run) => chosen.has(run))) {
    const run = await openRun(path, { ...context, ...opening, readImages: true });
    await loadBackend(run.options.backend);
    const title = `${summary.dataset}, ${summary.method}: ${percent(summary.last.balancedAccuracy)} %`;
    rows.set(summary.dataset, [...(rows.get(summary.dataset) ?? []), { title, ...(await evaluatePlane(run)) }]);
  }
  return drawBoundaries([...rows.values()], 'Decision boundaries, with balanced accuracy on the test set');
}

async function compared(paths: readonly string[]): Promise<Comparison> {
  return compareRuns(await loadRuns(paths), { observers });
}

async function confusion(paths: readonly string[]): Promise<string> {
  const { methods, classes, classCounts } = await compared(paths);
  const bins = classBins(classes, classCounts);
  const panels = methods.flatMap(({ label, confusion: counts }) =>
    counts ? [{ title: label, ...confusionSpec(counts, bins) }] : [],
  );
  if (panels.length === 0) throw nothingToDraw('a confusion matrix');
  const title = 'Confusion matrices of the last epoch, all seeds together, percent of the row';
  return drawChartFile({ concat: panels, columns: 3 } as Parameters<typeof drawChartFile>[0], title);
}

async function overOption(paths: readonly string[], option: string): Promise<string> {
  const comparison = await compared(paths);
  const spec = optionSpec(comparison, option);
  return drawChartFile(
    spec,
    `Accuracy of the last epoch on ${comparison.dataset} over ${option}, mean ± sd over seeds`,
  );
}
