import { resolve } from 'node:path';
import process from 'node:process';
import { displayPath, TailmixError, TRY_AGAIN } from '../../errors.ts';
import { optionsClash, runUnknown } from '../../sweep/errors.ts';
import type { PlannedRun } from '../../sweep/expand.ts';
import { type FrozenSweep, findFrozen, plannedOf } from '../../sweep/frozen.ts';
import { stateOf } from '../../sweep/state.ts';
import { isOwned, untilFree } from '../../tracking/ownership.ts';
import { setAside } from '../../tracking/run-directory.ts';
import { SWEEP_VARIABLE, type SweepMembership } from '../../tracking/sweep-membership.ts';
import { memberOf } from '../cluster.ts';
import { context } from '../context.ts';
import { INTERRUPTED, watchInterrupts } from '../interrupt.ts';
import { complain, print, printJson, tell } from '../output.ts';
import type { SweepCommandOptions } from '../sweep.ts';
import { type TrainCommandOptions, train } from '../train.ts';
import { openOrFreeze } from './grid.ts';

/** How often a run that another process took in the meantime is looked at again. */
const ATTEMPTS = 3;

/**
 * `tailmix sweep --run ID`: one run of a sweep, in this process. It is begun, or resumed, or found to be finished. While another process
 * of this machine trains it, this one waits.
 */
export async function runOne(paths: readonly string[], options: SweepCommandOptions): Promise<number> {
  const { run: wanted = '', cluster, openNetwork } = options;
  const varied = (['set', 'grid', 'seeds', 'only'] as const).filter((name) => options[name]);
  if (varied.length > 0) {
    const hint = '`--run` trains a run of the frozen grid; give to `--list`, which freezes it, what varies the grid.';
    throw optionsClash(
      '--run',
      varied.map((name) => `--${name}`),
      hint,
    );
  }
  const { out, sweep } = await openOrFreeze(paths, options);
  const frozen = findFrozen(sweep, wanted);
  if (!frozen)
    throw runUnknown(
      wanted,
      sweep.runs.map(({ id }) => id),
    );
  const run = plannedOf(out, frozen);
  enterSweep(out, sweep, run);
  const rank = memberOf({ ...(cluster && { cluster }), ...(openNetwork && { openNetwork }) })?.rank ?? 0;
  // The directory is that of rank 0.
  if (rank > 0) return train(run.configs, { ...trainFlags(sweep, options), out: run.directory });
  for (let attempt = 1; ; attempt++) {
    if (!(await waitFor(run))) return INTERRUPTED;
    try {
      return await trainFrozen(run, sweep, options);
    } catch (error) {
      const code = error instanceof TailmixError ? error.code : null;
      if (code === null || !TAKEN.has(code)) throw error;
      if (attempt < ATTEMPTS) continue;
      if (code !== 'DIRECTORY_OWNED') throw error;
      complain((error as TailmixError).message);
      return TRY_AGAIN;
    }
  }
}

/** What a run says that another process took, or finished, since its state was looked at. */
const TAKEN = new Set(['DIRECTORY_OWNED', 'RUN_EXISTS', 'RESUME_FINISHED']);

/** Lets the run of this process know what it is part of, and how many threads it has. */
function enterSweep(out: string, { id, name, threads }: FrozenSweep, { variation }: PlannedRun): void {
  const membership: SweepMembership = { directory: resolve(out), uid: id, name, variation };
  process.env[SWEEP_VARIABLE] = JSON.stringify(membership);
  process.env.TAILMIX_THREADS = String(threads);
}

async function trainFrozen(run: PlannedRun, sweep: FrozenSweep, options: SweepCommandOptions): Promise<number> {
  const { takeOver = false, trust, json = false, cluster } = options;
  const { label, directory, configs } = run;
  const state = await stateOf(run, { ...context, trust });
  if (state.kind === 'finished') {
    if (json) printJson({ label, directory, status: 'skipped' });
    else print(`${label}: was finished before, in ${displayPath(directory)}`);
    return 0;
  }
  if (state.kind === 'untrusted') throw state.error;
  if (state.kind === 'foreign') {
    const aside = await setAside(directory, { takeOver });
    tell(`${label}: what was in its folder is now in ${displayPath(aside)}: ${state.reason}`);
  }
  const flags = trainFlags(sweep, options);
  return state.kind === 'unfinished' && !cluster
    ? train([], { ...flags, resume: directory })
    : train(configs, { ...flags, out: directory });
}

const trainFlags = (
  { backend, dataRoot }: FrozenSweep,
  { takeOver = false, trust, json = false, cluster, openNetwork }: SweepCommandOptions,
): TrainCommandOptions => ({
  ...{ backend, takeOver, json },
  ...(trust && { trust }),
  ...(dataRoot !== null && { dataRoot }),
  ...(cluster && { cluster }),
  ...(openNetwork && { openNetwork }),
});

/** Waits while another process of this machine trains a run; false where a signal ended the wait. */
async function waitFor({ label, directory }: PlannedRun): Promise<boolean> {
  if (!(await isOwned(directory))) return true;
  const interruption = watchInterrupts('the wait ends.');
  tell(`${label}: another process owns its folder; waits for it if it is on this machine`);
  try {
    await untilFree(directory, Number.POSITIVE_INFINITY, interruption.signal);
    return !interruption.signal.aborted;
  } finally {
    interruption.stop();
  }
}
