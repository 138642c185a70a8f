import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { checkEnvironment } from '../backend/environment.ts';
import { devicePlaces } from '../backend/open-apart.ts';
import { displayPath, messageOf } from '../errors.ts';
import { launcher } from '../package-root.ts';
import { selectionOf } from '../pjrt/choice.ts';
import { optionsClash } from '../sweep/errors.ts';
import type { PlannedRun } from '../sweep/expand.ts';
import { runHalving } from '../sweep/halving.ts';
import { BEST_TAG, type SweepResults, sweepResults } from '../sweep/results.ts';
import { isDone, type RunOutcome, runSweep } from '../sweep/run.ts';
import { sweepDisplay } from '../sweep/show.ts';
import type { Search } from '../sweep/space.ts';
import { type SweepTracking, trackSweep } from '../sweep/tracking.ts';
import type { Variations } from '../sweep/variations.ts';
import { type Ownership, own } from '../tracking/ownership.ts';
import { expandFiles, type Grid, planGrid } from './batch/grid.ts';
import { checkPlace, context } from './context.ts';
import { INTERRUPTED, watchInterrupts } from './interrupt.ts';
import { commandLine } from './next.ts';
import { print, printJson, progressStream, tell, tellTaken } from './output.ts';

/** Options of `tailmix sweep`. */
export interface SweepCommandOptions extends Variations {
  set?: string[];
  /** Patterns of the runs that are wanted. */
  only?: string[];
  jobs?: number;
  report?: boolean;
  out?: string;
  takeOver?: boolean;
  /** Looks at runs, and goes on with them, that are not known to be the user's own. */
  trust?: boolean;
  backend?: string;
  /** What runs compute on; several devices have a run each at a time. */
  device?: string;
  dataRoot?: string;
  json?: boolean;
  /** Freeze the grid, and show its runs. */
  list?: boolean;
  /** How far the runs are. */
  status?: boolean;
  /** Where the runs are trained. */
  on?: 'local' | 'slurm';
  partition?: string;
  time?: string;
  /** Jobs of Slurm at once. */
  max?: number;
  /** Further options of `sbatch`. */
  sbatch?: string;
  dryRun?: boolean;
  /** Nodes of Slurm that share a run. */
  nodesPerRun?: number;
  /** With `run`: this is one process of several that train it. */
  cluster?: boolean;
  openNetwork?: boolean;
  /** Id or number of the one run that is wanted. */
  run?: string;
}

/** What is done with the runs in the end. */
type Conclude = (done: readonly RunOutcome[], outcomes: readonly RunOutcome[], report: SweepReport) => Promise<void>;

/** The report of a sweep: its folder, and the sweep's name. */
export interface SweepReport {
  out: string;
  name: string;
}

/** `tailmix sweep`: a grid of runs, each in a process of its own; what is finished is not run again. */
export async function sweep(paths: readonly string[], options: SweepCommandOptions): Promise<number> {
  checkEnvironment();
  checkPlace('--out', options.out);
  if (options.list) return (await import('./batch/list.ts')).list(paths, options);
  if (options.run !== undefined) return (await import('./batch/run.ts')).runOne(paths, options);
  if (options.status) return (await import('./batch/list.ts')).status(paths, options);
  checkSlurmOptions(options);
  if (options.on === 'slurm') return (await import('./batch/submit.ts')).submit(paths, options);
  return runSweepFiles(paths, options, (done, outcomes, report) => conclude(done, outcomes, options, report));
}

/** Refuses what would have no effect. */
function checkSlurmOptions(options: SweepCommandOptions): void {
  const isSlurm = options.on === 'slurm';
  const vain = (isSlurm ? LOCAL_ONLY : SLURM_ONLY).filter((name) => options[name] !== undefined);
  if (vain.length === 0) return;
  const names = vain.map((name) => `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`);
  throw isSlurm
    ? optionsClash('--on slurm', names, '`--max` is the number of jobs at once, and the report is always written.')
    : optionsClash('--on local', names, 'They are for `--on slurm`.');
}

const SLURM_ONLY = ['partition', 'time', 'max', 'sbatch', 'dryRun', 'nodesPerRun', 'openNetwork'] as const;
const LOCAL_ONLY = ['jobs', 'device', 'report', 'json'] as const;

/**
 * Runs what sweep files list.
 *
 * @param ownership - of the folder of the runs, where the caller has taken it
 */
export async function runSweepFiles(
  paths: readonly string[],
  options: SweepCommandOptions,
  conclude: Conclude,
  given?: Ownership,
): Promise<number> {
  const { takeOver = false } = options;
  const grid = await expandFiles(paths, options);
  const { read, runs, out, backend } = grid;
  const devices = options.device === undefined ? undefined : await eachDevice(options.device);
  const jobs =
    options.jobs ?? read.options.jobs ?? devices?.length ?? (backend === 'wasm' ? availableParallelism() : 1);
  await planGrid(grid, options);
  const ownership = given ?? (await own(out, { takeOver }));
  if (!given) tellTaken(ownership);
  try {
    const where = devices ? `on ${devices.join(' ')}` : `backend ${backend}`;
    tell(`${read.name}: ${runs.length} runs, ${jobs} at once, ${where}, in ${displayPath(out)}`);
    const tracking = await trackSweep(read.name, out);
    if (tracking.address !== null) tell(`MLflow: ${tracking.address}`);
    const { search } = read.options;
    return await trainAll(grid, tracking, { ...options, jobs, devices, conclude, search });
  } finally {
    if (!given) await ownership.release();
  }
}

async function trainAll(
  { read, runs, trials, out }: Grid,
  tracking: SweepTracking,
  options: SweepCommandOptions & {
    jobs: number;
    devices: readonly string[] | undefined;
    conclude: Conclude;
    search: Search | undefined;
  },
): Promise<number> {
  const { jobs, devices, backend, dataRoot, takeOver = false, trust = false, conclude, search } = options;
  const interruption = watchInterrupts('running runs end after their step; the same command continues them.');
  const display = sweepDisplay(progressStream(), runs.length);
  const threads = threadsFor(jobs);
  let outcomes: RunOutcome[];
  try {
    const how = {
      jobs,
      display,
      config: { ...context, trust },
      takeOver,
      ...(devices && { devices }),
      launcher,
      signal: interruption.signal,
      flags: [
        ...(backend === undefined ? [] : ['--backend', backend]),
        ...(dataRoot === undefined ? [] : ['--data-root', dataRoot]),
        ...(takeOver ? ['--take-over'] : []),
        ...(trust ? ['--trust'] : []),
      ],
      env: (run: PlannedRun) => ({ ...threads, ...tracking.env(run) }),
    };
    outcomes = await (search?.halving ? runHalving(runs, trials, search.halving, how) : runSweep(runs, how));
  } finally {
    display.stop();
    interruption.stop();
  }
  const failed = outcomes.filter(({ status }) => status === 'failed');
  for (const { run, message } of failed) tell(`\n${run.label} failed:\n  ${message.replaceAll('\n', '\n  ')}`);
  if (failed.length > 0) tell(`\n${failed.map(causeOf).join('\n')}`);
  const isInterrupted = interruption.signal.aborted;
  const done = outcomes.filter(isDone);
  let concluding: unknown = null;
  let results: SweepResults | undefined;
  try {
    if (done.length > 0 && !isInterrupted)
      await conclude(done, outcomes, { out: join(out, 'report'), name: read.name });
    if (search && !isInterrupted) {
      results = await sweepResults(done.map(({ run }) => run));
      tellBest(results);
    }
  } catch (error) {
    concluding = error;
  }
  try {
    const sent = await tracking.end(outcomes, isInterrupted, results);
    if (sent !== null) tell(sent);
  } catch (error) {
    if (concluding === null) throw error;
    tell(messageOf(error));
  }
  if (concluding !== null) throw concluding;
  if (isInterrupted) return INTERRUPTED;
  return failed.length > 0 ? 1 : 0;
}

/** Each device that `--device` names, as `train.device` has it. */
async function eachDevice(choice: string): Promise<string[]> {
  const selection = selectionOf(choice);
  if (selection === undefined) return [choice];
  const places = selection === 'all' ? await devicePlaces() : selection;
  return places.map((place) => `pjrt:${place}`);
}

/** Which trial of a search to use, by validation; test figures are told beside it. */
function tellBest({ tags }: SweepResults): void {
  const best = tags[BEST_TAG];
  if (best !== undefined) tell(`Best on validation: ${best}`);
}

/** A failed run in one line: its cause, and where there is more. */
export function causeOf({ run, message, log }: Pick<RunOutcome, 'run' | 'message' | 'log'>): string {
  const lines = message.split('\n').filter((line) => line.trim() !== '');
  // What ended it is told last; hints are indented, and so is what is wrong at a place of a config.
  const at = lines.findLastIndex((line) => !/^\s/.test(line));
  const cause = lines[at] ?? lines[0]?.trim() ?? 'it ended without a word';
  const whole = / {2}/.test(cause) ? `${cause}  ${lines[at + 1]?.trim() ?? ''}` : cause;
  return `failed  ${run.label}: ${whole} (${displayPath(log ?? run.directory)})`;
}

async function conclude(
  done: readonly RunOutcome[],
  outcomes: readonly RunOutcome[],
  { report: wanted, json = false }: SweepCommandOptions,
  { out, name }: SweepReport,
): Promise<void> {
  if (wanted) {
    const { report } = await import('./report.ts');
    await report(
      done.map(({ run }) => run.directory),
      { out, json, name },
    );
  } else if (json) printJson(outcomes.map(({ run, status, log, setAside }) => ({ ...run, status, log, setAside })));
  else {
    const directories = done.map(({ run }) => displayPath(run.directory));
    print(`Tables and charts: ${commandLine('report', ...directories, '--name', name)}`);
  }
}

/** Several runs share the cores. */
const threadsFor = (jobs: number): Record<string, string> =>
  jobs > 1 && !process.env.TAILMIX_THREADS
    ? { TAILMIX_THREADS: String(Math.max(1, Math.floor(availableParallelism() / jobs))) }
    : {};
