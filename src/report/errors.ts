import { systemRefused, TailmixError } from '../errors.ts';

const list = (lines: readonly string[], limit = 12): string =>
  [...lines.slice(0, limit), ...(lines.length > limit ? [`… and ${lines.length - limit} more`] : [])]
    .map((line) => `\n  ${line}`)
    .join('');

/** A path given on the command line that is not there. */
export const reportPathMissing = (path: string): TailmixError =>
  new TailmixError(
    `report: expected a run directory or a folder of them, but ${path} does not exist. ` +
      'Give a folder that `tailmix train` or `tailmix sweep` has written.',
    { code: 'REPORT_PATH', kind: 'config' },
  );

/** A path given on the command line that is a file. */
export const reportPathIsFile = (path: string): TailmixError =>
  new TailmixError(
    `report: expected a run directory or a folder of them, but ${path} is a file. Give the folder that contains it.`,
    { code: 'REPORT_PATH', kind: 'config' },
  );

/** A folder that cannot be listed. */
export const reportUnreadable = (path: string, cause: unknown): TailmixError =>
  new TailmixError(`report: expected to read ${path}; ${systemRefused(cause, 'name another folder')}`, {
    code: 'REPORT_UNREADABLE',
    cause,
  });

/** No path was given. */
export const noPaths = (): TailmixError =>
  new TailmixError('report: expected at least one run directory, got none. Try `tailmix report runs`.', {
    code: 'REPORT_NO_PATHS',
    kind: 'config',
  });

/** Nothing to report on: what was found, and why none of it counts. */
export const noRuns = (leftOut: readonly { path: string; reason: string }[]): TailmixError =>
  new TailmixError(
    leftOut.length === 0
      ? 'report: expected finished runs, but the folders given hold no run directory. ' +
          'A run directory holds config.yaml, metrics.jsonl and summary.json.'
      : `report: expected a finished run, but none of the ${leftOut.length} found can be used:` +
          `${list(leftOut.map(({ path, reason }) => `${path}: ${reason}`))}`,
    { code: 'REPORT_NO_RUNS', kind: 'config' },
  );

/** Runs that no table can compare. */
export const mixedDatasets = (runsByDataset: readonly { dataset: string; path: string }[]): TailmixError =>
  new TailmixError(
    'report: expected runs on one data set, got several:' +
      `${list(runsByDataset.map(({ dataset, path }) => `${dataset}: for example ${path}`))}\n` +
      'Write one report for each data set.',
    { code: 'REPORT_MIXED_DATA', kind: 'config' },
  );

/** A baseline that is not among the methods. */
export const unknownBaseline = (baseline: string, methods: readonly string[]): TailmixError =>
  new TailmixError(
    `report: expected the baseline to be one of the methods, got "${baseline}". Methods: ${methods.join(', ')}.`,
    { code: 'REPORT_BASELINE', kind: 'config' },
  );

/** The output folder cannot be written. */
export const reportNotWritten = (path: string, cause: unknown): TailmixError =>
  new TailmixError(`report: expected to write ${path}; ${systemRefused(cause, 'choose another folder with --out')}`, {
    code: 'REPORT_NOT_WRITTEN',
    cause,
  });

/** A curve over an option that no two of the runs differ in. */
export const optionMissing = (option: string, there: readonly string[]): TailmixError =>
  new TailmixError(
    `figure: expected runs with two values or more of ${option}; there are none.${
      there.length === 0 ? '' : ` Options of their plugins:${list([...new Set(there)].sort())}`
    }`,
    { code: 'FIGURE_OPTION', kind: 'config' },
  );

/** Runs without what a figure shows. */
export const nothingToDraw = (what: string): TailmixError =>
  new TailmixError(`figure: expected runs with ${what}; none of them has one.`, {
    code: 'FIGURE_EMPTY',
    kind: 'config',
  });
