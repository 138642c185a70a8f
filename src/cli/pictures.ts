import { loadBackend } from '../backend/load.ts';
import type { RunContext } from '../config/load.ts';
import { displayPath, messageOf } from '../errors.ts';
import { noRuns } from '../report/errors.ts';
import { groupRuns } from '../report/methods.ts';
import { type Pictures, writePictures } from '../report/pictures/file.ts';
import { makePictures } from '../report/pictures/make.ts';
import { loadRuns } from '../report/runs.ts';
import { openRun } from '../trained/open.ts';
import { type ConfigFlags, context, observers, overridesOf } from './context.ts';
import { commandLine, tellNext } from './next.ts';
import { complain, print, printJson } from './output.ts';
import { pathOrRun } from './report.ts';

/** Options of `tailmix pictures`. */
export interface PicturesCommandOptions extends ConfigFlags, Pick<RunContext, 'trust' | 'sources'> {
  json?: boolean;
  allowOtherData?: boolean;
}

/**
 * `tailmix pictures`: makes the pictures of a report, of the run of the lowest seed of each method, and writes them into its directory.
 *
 * @param paths - Run directories, folders of them, or names of runs.
 * @returns 1 where a run has none because of an error
 */
export async function pictures(
  paths: readonly string[],
  { trust, sources, json = false, allowOtherData = false, ...flags }: PicturesCommandOptions,
): Promise<number> {
  const found = await Promise.all(paths.map(pathOrRun));
  const loaded = await loadRuns(found);
  if (loaded.runs.length === 0) throw noRuns(loaded.leftOut);
  const made: { run: string; file: string; has: string[] }[] = [];
  let failures = 0;
  for (const { runs } of groupRuns(loaded.runs, observers).groups) {
    const { path } = runs[0]!;
    try {
      const run = await openRun(path, { ...context, overrides: overridesOf(flags), trust, sources, readImages: true });
      await loadBackend(run.options.backend);
      const all = await makePictures(run, allowOtherData);
      const has = describe(all);
      made.push({ run: run.directory, file: await writePictures(run.directory, all), has });
      if (!json) print(`${displayPath(run.directory)}: ${has.join('; ') || 'nothing to show'}`);
    } catch (error) {
      failures++;
      complain(`${path}: no pictures: ${messageOf(error)}`);
    }
  }
  if (json) printJson({ made, failures });
  else if (made.length > 0) tellNext([commandLine('report', ...paths), 'the report, with these pictures']);
  return failures > 0 ? 1 : 0;
}

function describe({ mixed, wrong, plane }: Pictures): string[] {
  return [
    ...(mixed ? [`${mixed.rows.length} mixed images of epoch ${mixed.epoch}`] : []),
    ...(wrong ? [`${wrong.rows.length} wrong images, among ${wrong.among} training images`] : []),
    ...(plane ? ['the decision boundary'] : []),
  ];
}
