import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import process from 'node:process';
import { stringify } from 'yaml';
import { makeFolder } from '#make-folder';
import { checkEnvironment } from '../../backend/environment.ts';
import { configUnreadable } from '../../config/errors.ts';
import { loadConfig } from '../../config/load.ts';
import type { ResolvedConfig } from '../../config/types.ts';
import { displayPath } from '../../errors.ts';
import { type Choice, choiceInWords, chooseMethod } from '../../report/choice.ts';
import { compareRuns } from '../../report/compare.ts';
import { resultsDocument } from '../../report/document.ts';
import { fittingTable } from '../../report/fitting-table.ts';
import { duration, withSpread } from '../../report/format.ts';
import { withImageIntervals } from '../../report/image-intervals.ts';
import { type LeftOut, loadRuns } from '../../report/runs.ts';
import { writeReport } from '../../report/write.ts';
import { isDone, type RunOutcome } from '../../sweep/run.ts';
import { own } from '../../tracking/ownership.ts';
import { folderName } from '../../tracking/run-directory.ts';
import { writeFileAtomic } from '../../tracking/write-file.ts';
import { type ConfigFlags, checkPlace, context, observers, overridesOf } from '../context.ts';
import { comparePhases, compareTaken } from '../errors.ts';
import { print, printJson, tell, tellTaken } from '../output.ts';
import { runSweepFiles, type SweepCommandOptions, type SweepReport } from '../sweep.ts';

/** Options of commands that train several methods and choose one. */
export interface MethodsOptions extends ConfigFlags, Pick<SweepCommandOptions, 'jobs' | 'out' | 'takeOver' | 'json'> {
  /** Seeds of each method. Default: that of the config. */
  seeds?: readonly number[];
}

/** A method as a config of its own. */
export interface MethodConfig {
  /** Label in tables. */
  method: string;
  /** Name of its config, without `.yaml`. */
  file: string;
  config: Record<string, unknown>;
}

/** A command of this kind. */
type MethodsCommand = 'compare' | 'probe';

/**
 * The config that methods are made of.
 *
 * @throws {TailmixError} COMPARE_PHASES, and what loading a config throws.
 */
export async function methodsConfig(
  command: MethodsCommand,
  paths: readonly string[],
  { set = [], out, ...flags }: MethodsOptions,
): Promise<ResolvedConfig> {
  checkEnvironment();
  checkPlace('--out', out);
  const config = await loadConfig(paths, { ...context, set, overrides: overridesOf(flags) });
  if (config.phases !== null) throw comparePhases(command);
  return config;
}

/** What is trained. */
export interface Methods {
  command: MethodsCommand;
  methods: readonly MethodConfig[];
  /** That they are made of: its name and seed. */
  config: ResolvedConfig;
  /** Label of the method that the others are compared with; default: plain training. */
  baseline?: string;
  /** What is said before the first run. */
  announce: string;
}

/**
 * Trains methods as a sweep, whose files it writes, and says which to use by validation. What is finished is not run again.
 *
 * @returns the exit code
 */
export async function runMethods(
  { command, methods, config, baseline, announce }: Methods,
  { seeds, out, jobs, takeOver = false, json = false, backend }: MethodsOptions,
): Promise<number> {
  const { name, seed } = config.options;
  const folder = out ?? join('runs', `${command}-${folderName(name)}`);
  await makeFolder(join(folder, 'methods'));
  const ownership = await own(folder, { takeOver });
  tellTaken(ownership);
  try {
    const listed = methods.map((method) => `methods/${method.file}.yaml`);
    const runs = seeds ?? [seed];
    const file = join(folder, 'sweep.yaml');
    await writeOwn(command, {
      ...Object.fromEntries(methods.map(({ config }, i) => [join(folder, listed[i]!), config])),
      [file]: { name: folderName(basename(folder)), configs: listed, seeds: [...runs] },
    });
    tell(
      `${announce} ${methods.map(({ method }) => method).join('; ')}; ${runs.length === 1 ? 'one run' : `${runs.length} runs`} each. If it is stopped, run the same command again to continue.`,
    );
    const sweep = {
      out: folder,
      takeOver,
      json,
      ...(jobs !== undefined && { jobs }),
      ...(backend !== undefined && { backend }),
    };
    const shown = { folder, json, baseline };
    return await runSweepFiles([file], sweep, (_, outcomes, report) => conclude(outcomes, report, shown), ownership);
  } finally {
    await ownership.release();
  }
}

/**
 * Writes configs that the command makes, also over those of the last time.
 *
 * @throws {TailmixError} COMPARE_TAKEN where another file is in the place of one, CONFIG_UNREADABLE, WRITE_FAILED.
 */
async function writeOwn(command: MethodsCommand, configs: Record<string, unknown>): Promise<void> {
  for (const file of Object.keys(configs)) {
    if (!existsSync(file)) continue;
    const found = await readFile(file, 'utf8').catch((cause) => {
      throw configUnreadable(displayPath(file), cause);
    });
    if (!found.startsWith(HEAD)) throw compareTaken(command, file);
  }
  for (const [file, config] of Object.entries(configs))
    await writeFileAtomic(file, `${HEAD}, which writes it anew each time.\n${stringify(config)}`);
}

const HEAD = '# Made by tailmix compare or probe';

async function conclude(
  outcomes: readonly RunOutcome[],
  { out, name }: SweepReport,
  { folder, json, baseline }: { folder: string; json: boolean; baseline: string | undefined },
): Promise<void> {
  const loaded = await loadRuns(outcomes.filter(isDone).map(({ run }) => run.directory));
  const isThere = loaded.runs.some(({ summary }) => summary.method === baseline);
  const comparison = await withImageIntervals(
    compareRuns(loaded, { observers, ...(baseline !== undefined && isThere && { baseline }) }),
  );
  const missing = outcomes
    .filter((outcome) => !isDone(outcome))
    .map(({ run, log }) => ({ run: run.label, directory: run.directory, log }));
  const isWhole = missing.length === 0 && comparison.leftOut.length === 0;
  const choice = isWhole ? chooseMethod(comparison, baseline) : null;
  const page = await writeReport(comparison, out, { choice, name });
  if (json) return printJson({ ...resultsDocument(comparison), choice, missing, report: page });
  if (choice) {
    print(choiceTable(choice, process.stdout.columns ?? 100));
    print(`\n${choiceInWords(choice).join('\n')}`);
    const method = comparison.methods.find(({ label }) => label === choice.chosen)!;
    const [run] = method.runs;
    print(`Config: ${displayPath(join(folder, 'methods', `${run!.summary.name}.yaml`))}   its run: ${run!.path}`);
  } else print(noChoice(baseline ?? 'plain training (ERM)', missing, comparison.leftOut).join('\n'));
  for (const warning of comparison.warnings) tell(`note: ${warning}`);
  print(`Report: ${displayPath(page)}`);
}

interface MissingRun {
  run: string;
  directory: string;
  log: string | null;
}

/** Why no method is chosen: the runs that are missing, and those that could not be read. */
const noChoice = (baseline: string, missing: readonly MissingRun[], leftOut: readonly LeftOut[]): string[] => [
  `No method is chosen: that takes ${baseline}, and every run of each method.`,
  ...missing.map(({ run, directory, log }) =>
    log === null ? `missing  ${run}: ${displayPath(directory)}` : `missing  ${run}: its log is ${displayPath(log)}`,
  ),
  ...leftOut.map(({ path, reason }) => `missing  ${path}: ${reason}`),
  'Run the same command again to train what is missing.',
];

/** Methods with figures and costs, as many columns as fit. */
function choiceTable({ methods, chosen }: Choice, width: number): string {
  const columns = [
    { head: 'method', cells: methods.map(({ method }) => (method === chosen ? `${method} *` : method)) },
    { head: 'validation', cells: methods.map(({ validation }) => withSpread(validation, 1, { plusMinus: '±' })) },
    { head: 'test', cells: methods.map(({ test }) => withSpread(test, 1, { plusMinus: '±' })) },
    { head: 'time', cells: methods.map(({ seconds }) => duration(seconds)) },
    { head: 'images/s', cells: methods.map(({ imagesPerSecond: n }) => (n === null ? '–' : String(Math.round(n)))) },
  ];
  return [
    'Balanced accuracy in percent, of the epoch that is best on validation; time of a run.',
    '',
    ...fittingTable(columns, width),
  ].join('\n');
}
