import { join } from 'node:path';
import { displayPath, TailmixError } from '../../errors.ts';
import { freeze, plannedOf } from '../../sweep/frozen.ts';
import type { RunOutcome } from '../../sweep/run.ts';
import { isQueued, isRunning, type SlurmTask, tasksOf } from '../../sweep/slurm.ts';
import { progressOf, type RunProgress } from '../../sweep/status.ts';
import { trackSweep } from '../../sweep/tracking.ts';
import { own } from '../../tracking/ownership.ts';
import { context } from '../context.ts';
import { complain, print, printJson, tell } from '../output.ts';
import { report } from '../report.ts';
import type { SweepCommandOptions } from '../sweep.ts';
import { expandFiles, freezable, type Opened, openFrozen, planGrid } from './grid.ts';

/** A run as `--list --json` shows it. */
export interface ListedRun extends Omit<RunProgress, 'state'> {
  /** `queued`: its job waits. */
  state: RunProgress['state'] | 'queued';
  /** For `--run`, as its `id`: its number in the grid. */
  index: number;
  id: string;
  label: string;
  directory: string;
}

/** `tailmix sweep --list`: freezes the grid as its files are now, and shows its runs. */
export async function list(paths: readonly string[], options: SweepCommandOptions): Promise<number> {
  const opened = await frozenNow(paths, options);
  const runs = await listed(opened, options);
  if (options.json) printJson(documentOf(opened, runs));
  else {
    const width = Math.max(...runs.map(({ id }) => id.length));
    for (const { id, state } of runs) print(`${id.padEnd(width)}  ${state}`);
    tell(`${countOf(runs)}, in ${displayPath(opened.out)}`);
  }
  return 0;
}

/** Freezes the grid of files as they are now; without files, what is frozen. */
async function frozenNow(paths: readonly string[], options: SweepCommandOptions): Promise<Opened> {
  if (paths.length === 0 && options.out !== undefined) return openFrozen(paths, options);
  const grid = await expandFiles(paths, options);
  await planGrid(grid, options);
  return { out: grid.out, sweep: await freeze(grid.out, await freezable(grid, options), grid.runs, { context }) };
}

const listed = (
  { out, sweep }: Opened,
  { trust }: SweepCommandOptions,
  tasks: ReadonlyMap<string, SlurmTask> = new Map(),
): Promise<ListedRun[]> =>
  Promise.all(
    sweep.runs.map(async (frozen, index) => {
      const run = plannedOf(out, frozen);
      const { id, label } = frozen;
      const task = tasks.get(id);
      const progress = await progressOf(run, { ...context, trust }, task && isRunning(task));
      const state = task && isQueued(task) && progress.state !== 'finished' ? 'queued' : progress.state;
      return { index, id, label, directory: run.directory, ...progress, state };
    }),
  );

/** `tailmix sweep --status`: how far the runs are, as their directories and Slurm say; with `--report`, what they have yielded. */
export async function status(paths: readonly string[], options: SweepCommandOptions): Promise<number> {
  const opened = await openFrozen(paths, options);
  const { out } = opened;
  const tasks = await tasksOf(out).catch((error: unknown) => {
    if (!(error instanceof TailmixError) || error.code !== 'SLURM_REFUSED') throw error;
    complain(`${error.message} What its jobs do is not shown.`);
    return new Map<string, SlurmTask>();
  });
  const runs = (await listed(opened, options, tasks)).map((run) => ({ ...run, slurm: tasks.get(run.id) ?? null }));
  if (options.report) return conclude(opened, runs, options);
  if (options.json) printJson(documentOf(opened, runs));
  else for (const line of statusLines(runs)) print(line);
  tell(`${countOf(runs)}, in ${displayPath(out)}`);
  return 0;
}

type StatusRun = ListedRun & { slurm: SlurmTask | null };

function statusLines(runs: readonly StatusRun[]): string[] {
  const rows = runs.map(({ id, state, epochs, slurm }) => [
    id,
    state,
    epochs === 0 ? '' : `${epochs} ${epochs === 1 ? 'epoch' : 'epochs'}`,
    slurm ? [slurm.job, slurm.state, slurm.node, saidOf(slurm)].filter(Boolean).join(' ') : '',
  ]);
  const widths = [0, 1, 2].map((column) => Math.max(...rows.map((row) => row[column]!.length)));
  const logs = runs.flatMap(({ state, slurm }) => (slurm && LOST.has(state) ? [`  ${displayPath(slurm.log)}`] : []));
  return [
    ...rows.map((row) =>
      row
        .map((cell, i) => cell.padEnd(widths[i] ?? 0))
        .join('  ')
        .trimEnd(),
    ),
    ...(logs.length > 0 ? ['Their jobs have ended, and these runs are not finished. The jobs said:', ...logs] : []),
  ];
}

const saidOf = ({ reason }: SlurmTask): string | null => (reason === null || reason === 'None' ? null : `(${reason})`);

/** States of a run whose job has ended without it. */
const LOST = new Set(['new', 'unfinished', 'failed']);

/** Writes the report of the finished runs, and gives the sweep its end in MLflow; 1 where a run is not finished. */
async function conclude(
  { out, sweep }: Opened,
  runs: readonly StatusRun[],
  { json = false }: SweepCommandOptions,
): Promise<number> {
  const done = runs.filter(({ state }) => state === 'finished');
  for (const line of statusLines(runs.filter((run) => !done.includes(run)))) tell(line);
  tell(`${countOf(runs)}, in ${displayPath(out)}`);
  const ownership = await own(out, { brief: true });
  try {
    if (done.length > 0)
      await report(
        done.map(({ directory }) => directory),
        { out: join(out, 'report'), json, name: sweep.name },
      );
    const tracking = await trackSweep(sweep.name, out);
    const outcomes = runs.map(
      ({ state }, i): RunOutcome => ({
        run: plannedOf(out, sweep.runs[i]!),
        status: state === 'finished' ? 'finished' : LOST.has(state) ? 'failed' : 'stopped',
        message: '',
        log: null,
        setAside: null,
      }),
    );
    const sent = await tracking.end(outcomes, false);
    if (sent !== null) tell(sent);
  } finally {
    await ownership.release();
  }
  return done.length === runs.length ? 0 : 1;
}

const documentOf = ({ out, sweep: { id, name, backend, threads } }: Opened, runs: readonly object[]): object => ({
  id,
  name,
  out,
  backend,
  threads,
  runs,
});

/** `8 runs: 5 finished, 3 new`. */
function countOf(runs: readonly { state: string }[]): string {
  const states = [...new Set(runs.map(({ state }) => state))];
  const counts = states.map((state) => `${runs.filter((run) => run.state === state).length} ${state}`);
  return `${runs.length} ${runs.length === 1 ? 'run' : 'runs'}: ${counts.join(', ')}`;
}
