import { join } from 'node:path';
import process from 'node:process';
import { wantedThreads } from '../../backend/environment.ts';
import { whyNotNative } from '../../backend/native.ts';
import { halvingApart, notFrozen } from '../../sweep/errors.ts';
import { expandSweep, type PlannedRun, type Trial } from '../../sweep/expand.ts';
import { type FrozenSweep, freeze, frozenOf, readFrozen } from '../../sweep/frozen.ts';
import { planRuns } from '../../sweep/plan.ts';
import { readSweep, type Sweep } from '../../sweep/read.ts';
import { context, knownPlugins, overridesOf } from '../context.ts';
import type { SweepCommandOptions } from '../sweep.ts';

/** A sweep whose runs are known. */
export interface Grid {
  read: Sweep;
  runs: PlannedRun[];
  /** The same, by what they run with each seed. */
  trials: Trial[];
  /** Folder of the runs. */
  out: string;
  /** Engine that they will have. */
  backend: string;
}

/** Reads and expands sweep files. */
export async function expandFiles(paths: readonly string[], options: SweepCommandOptions): Promise<Grid> {
  const { set = [], only, out: wanted = null } = options;
  const backend = backendOf(options.backend);
  const read = await readSweep(paths, context.registry, options);
  const expanded = await expandSweep(read, { set, only, backend, out: wanted }, context);
  return { read, backend, ...expanded };
}

/** Refuses what `tailmix plan` would refuse of a run. */
export async function planGrid({ read, runs }: Grid, { backend, dataRoot }: SweepCommandOptions): Promise<void> {
  const overrides = overridesOf({
    ...(backend !== undefined && { backend }),
    ...(dataRoot !== undefined && { dataRoot }),
  });
  await planRuns(read.name, runs, {
    ...context,
    overrides,
    known: await knownPlugins(),
    mustValidate: read.options.search !== undefined,
  });
}

/**
 * The grid of sweep files as it would be frozen now; threads as the environment asks, where nothing else does.
 *
 * @throws {TailmixError} SEARCH_APART
 */
export async function freezable(
  { read, runs, out, backend }: Grid,
  { dataRoot }: SweepCommandOptions,
  { threads = null, defaultThreads = wantedThreads() }: { threads?: number | null; defaultThreads?: number } = {},
): Promise<FrozenSweep> {
  if (read.options.search?.halving) throw halvingApart();
  return frozenOf(out, runs, {
    name: read.name,
    backend,
    threads: threads ?? (process.env.TAILMIX_THREADS ? wantedThreads() : null),
    defaultThreads,
    dataRoot: dataRoot ?? null,
  });
}

/** A frozen sweep and the folder of its runs. */
export interface Opened {
  out: string;
  sweep: FrozenSweep;
}

/**
 * The frozen sweep of a folder. Files are read for the name of the folder alone.
 *
 * @throws {TailmixError} SWEEP_NOT_FROZEN, SWEEP_DAMAGED
 */
export async function openFrozen(paths: readonly string[], options: SweepCommandOptions): Promise<Opened> {
  const out = options.out ?? (await folderOf(paths));
  const sweep = await readFrozen(out);
  if (sweep === null) throw notFrozen(out);
  return { out, sweep };
}

async function folderOf(paths: readonly string[]): Promise<string> {
  const { name, options } = await readSweep(paths, context.registry);
  return options.out ?? join('runs', name);
}

/** As {@link openFrozen}; freezes the grid of files where nothing is frozen yet. */
export async function openOrFreeze(paths: readonly string[], options: SweepCommandOptions): Promise<Opened> {
  const out = options.out ?? (await folderOf(paths));
  const frozen = await readFrozen(out);
  if (frozen !== null) return { out, sweep: frozen };
  if (paths.length === 0 && options.out !== undefined) throw notFrozen(out);
  const grid = await expandFiles(paths, options);
  const sweep = await freeze(grid.out, await freezable(grid, options), grid.runs, { context, isFirst: true });
  return { out: grid.out, sweep };
}

/** The engine that runs will have: as asked, else the one that is set up. */
function backendOf(asked: string | undefined): string {
  const wanted = asked ?? process.env.TAILMIX_BACKEND;
  if (wanted && wanted !== 'auto') return wanted;
  return whyNotNative('native-gpu') === null ? 'native-gpu' : whyNotNative('native') === null ? 'native' : 'wasm';
}
