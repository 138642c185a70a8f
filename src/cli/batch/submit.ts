import { mkdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import process from 'node:process';
import { loadConfig } from '../../config/load.ts';
import { displayPath } from '../../errors.ts';
import { launcher } from '../../package-root.ts';
import { slurmValue } from '../../sweep/errors.ts';
import { type FrozenSweep, freeze, plannedOf } from '../../sweep/frozen.ts';
import {
  isQueued,
  isRunning,
  logsFolder,
  maxArraySize,
  readSubmissions,
  record,
  sbatch,
  tasksOf,
} from '../../sweep/slurm.ts';
import { arrayScript, reportScript, type SlurmSettings } from '../../sweep/slurm-script.ts';
import { progressOf } from '../../sweep/status.ts';
import { own } from '../../tracking/ownership.ts';
import { checkForCluster } from '../cluster.ts';
import { context, overridesOf } from '../context.ts';
import { print, tell } from '../output.ts';
import type { SweepCommandOptions } from '../sweep.ts';
import { expandFiles, freezable, type Grid, planGrid } from './grid.ts';

/** `tailmix sweep --on slurm`: a job array of the runs that are neither finished nor queued, and a job that writes the report. */
export async function submit(paths: readonly string[], options: SweepCommandOptions): Promise<number> {
  checkOptions(options);
  const grid = await expandFiles(paths, options);
  await planGrid(grid, options);
  const { out } = grid;
  await checkNodes(grid, options);
  const wanted = await freezable(grid, options, { threads: coresIn(options.sbatch), defaultThreads: 1 });
  if (options.dryRun) return show(out, wanted, options);
  const sweep = await freeze(out, wanted, grid.runs, { context });
  const ownership = await own(out, { brief: true });
  try {
    return await submitRuns(out, sweep, options);
  } finally {
    await ownership.release();
  }
}

/** Refuses nodes among which a run cannot be shared, with the engine that it will have. */
async function checkNodes({ runs, backend }: Grid, { nodesPerRun = 1 }: SweepCommandOptions): Promise<void> {
  if (nodesPerRun === 1) return;
  const overrides = overridesOf({ backend });
  for (const { configs, set } of runs) {
    checkForCluster(await loadConfig(configs, { ...context, set, overrides }), nodesPerRun);
  }
}

/** Prints the scripts, and writes nothing. */
async function show(out: string, sweep: FrozenSweep, options: SweepCommandOptions): Promise<number> {
  const settings = settingsOf(out, sweep, options);
  const ids = await unfinished(out, sweep, options);
  for (const part of inParts(ids, await maxArraySize())) print(arrayScript(settings, part));
  print(reportScript(settings));
  return 0;
}

async function submitRuns(out: string, sweep: FrozenSweep, options: SweepCommandOptions): Promise<number> {
  const tasks = await tasksOf(out);
  const isUnderWay = (id: string): boolean => {
    const task = tasks.get(id);
    return task !== undefined && (isQueued(task) || isRunning(task));
  };
  const ids = (await unfinished(out, sweep, options)).filter((id) => !isUnderWay(id));
  if (ids.length === 0) {
    tell(`${sweep.name}: nothing to submit; every run is finished, queued or running`);
    return 0;
  }
  const settings = settingsOf(out, sweep, options);
  const logs = logsFolder(out);
  await mkdir(logs, { recursive: true });
  const number = (await readSubmissions(out)).length;
  const jobs: string[] = [];
  for (const [place, runs] of inParts(ids, await maxArraySize()).entries()) {
    // `--max` is of one array: the next one waits for it.
    const after = options.max === undefined || jobs.length === 0 ? [] : [`--dependency=afterany:${jobs.at(-1)}`];
    const job = await sbatch(join(logs, `runs-${number + place}.sh`), arrayScript(settings, runs), after);
    await record(out, { job, runs });
    jobs.push(job);
  }
  const before = [...new Set([...tasks.values()].map(({ job }) => job.split('_')[0]!))];
  const all = `--dependency=afterany:${[...before, ...jobs].join(':')}`;
  const report = await sbatch(join(logs, `report-${number}.sh`), reportScript(settings), [all]);
  print(
    `${sweep.name}: ${ids.length} of ${sweep.runs.length} runs in ${jobs.length === 1 ? 'job' : 'jobs'} ${jobs.join(', ')}, the report in job ${report}`,
  );
  tell(`How far it is: tailmix sweep --out ${displayPath(out)} --status`);
  return 0;
}

/** Ids of the runs that are to be trained. */
async function unfinished(out: string, { runs }: FrozenSweep, { trust }: SweepCommandOptions): Promise<string[]> {
  const states = await Promise.all(
    // Who owns a directory does not matter: the owner is asked by the job.
    runs.map(async (run) => ({ id: run.id, ...(await progressOf(plannedOf(out, run), { ...context, trust }, true)) })),
  );
  return states.filter(({ state }) => state !== 'finished').map(({ id }) => id);
}

function settingsOf(
  out: string,
  { name, threads }: FrozenSweep,
  { partition, time, max, sbatch: further, nodesPerRun: nodes = 1, openNetwork, trust }: SweepCommandOptions,
): SlurmSettings {
  const command = [process.execPath, launcher];
  return {
    name,
    command,
    out: resolve(out),
    logs: resolve(logsFolder(out)),
    threads,
    nodes,
    flags: [
      ...(nodes > 1 ? ['--cluster', '--take-over', ...(openNetwork ? ['--open-network'] : [])] : []),
      ...(trust ? ['--trust'] : []),
    ],
    partition,
    time,
    max,
    sbatch: further?.replace(CORES, ' ').trim(),
  };
}

function inParts(ids: readonly string[], size: number): string[][] {
  return Array.from({ length: Math.ceil(ids.length / size) }, (_, part) => ids.slice(part * size, (part + 1) * size));
}

const CORES = /(?:^|\s)(?:--cpus-per-task[= ]|-c\s*)(\d+)(?=\s|$)/;

/** The cores of a job, which are a run's threads; null where nobody says. */
const coresIn = (text = ''): number | null => Number(CORES.exec(text)?.[1]) || null;

/** What the scripts say themselves. */
const OWN = /(?:^|\s)(--(?:array|signal|requeue|no-requeue|open-mode|output|dependency)|-[ado])(?=[\s=]|$)/;

function checkOptions({ partition, time, sbatch: further }: SweepCommandOptions): void {
  if (partition !== undefined && !/^[\w.,-]+$/.test(partition))
    throw slurmValue('--partition', partition, 'a name, or names with commas between them');
  if (time !== undefined && !/^\d+(-\d+)?(:\d+){0,2}$/.test(time))
    throw slurmValue('--time', time, 'a time as Slurm writes it, such as 90 (minutes), 2:00:00 or 1-12');
  if (further === undefined) return;
  if (/[\r\n]/.test(further)) throw slurmValue('--sbatch', further, 'one line');
  const [, taken] = OWN.exec(further) ?? [];
  if (taken !== undefined) throw slurmValue('--sbatch', further, `options other than ${taken}, which the sweep sets`);
}
