import { existsSync } from 'node:fs';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { displayPath, messageOf } from '../errors.ts';
import { untilFree } from '../tracking/ownership.ts';
import { setAside } from '../tracking/run-directory.ts';
import { type ChildContext, trainInChild } from './child.ts';
import type { PlannedRun } from './expand.ts';
import type { SweepDisplay } from './show.ts';
import { stateOf } from './state.ts';

/** What became of a run. */
export interface RunOutcome {
  run: PlannedRun;
  /** `pruned`: a search did not train it to its end. */
  status: 'finished' | 'skipped' | 'failed' | 'stopped' | 'pruned';
  /** Of a failed run: what it said; of a pruned one: why. */
  message: string;
  /** Of a failed run: file with all that it said; null where it did not start or the file cannot be written. */
  log: string | null;
  /** Where what was in its directory is now; null where nothing was in the way. */
  setAside: string | null;
}

/**
 * Runs what is not finished, some at once. A run that fails does not stop the others; when the signal aborts, those
 * under way end in good order and no other starts.
 */
export async function runSweep(
  runs: readonly PlannedRun[],
  { jobs, ...context }: RunContext & { jobs: number },
): Promise<RunOutcome[]> {
  const waiting = runs.entries();
  const outcomes: RunOutcome[] = [];
  const { devices = [], flags } = context;
  const worker = async (_: unknown, number: number): Promise<void> => {
    const device = devices[number % devices.length];
    const own = device === undefined ? context : { ...context, flags: [...flags, '--device', device] };
    for (const [place, run] of waiting) {
      if (context.signal.aborted) return;
      outcomes[place] = await runOne(run, own);
    }
  };
  await Promise.all(Array.from({ length: Math.min(jobs, runs.length) }, worker));
  return runs.map(
    (run, place) => outcomes[place] ?? { run, status: 'stopped', message: '', log: null, setAside: null },
  );
}

/** Whether a run has come to its end, now or before. */
export const isDone = ({ status }: RunOutcome): boolean => status === 'finished' || status === 'skipped';

/** What all runs of a sweep share. */
export interface RunContext extends Omit<ChildContext, 'onProgress' | 'resume'> {
  config: Parameters<typeof stateOf>[1];
  /** Takes directories from processes that cannot be seen from here. */
  takeOver: boolean;
  /** What runs compute on, as `train.device` has it: those at the same time take them in turn. Default: as each run says. */
  devices?: readonly string[];
  display: SweepDisplay;
}

async function runOne(run: PlannedRun, { config, takeOver, display, ...child }: RunContext): Promise<RunOutcome> {
  const { label, directory } = run;
  let aside: string | null = null;
  const ended = (status: RunOutcome['status'], message = '', log: string | null = null): RunOutcome => {
    display.end(label, status === 'skipped' ? 'was finished before' : status);
    return { run, status, message, log, setAside: aside };
  };
  try {
    // The processes of a sweep that was killed take a moment to end.
    await untilFree(directory, ENDING_MS, child.signal);
    const state = await stateOf(run, config);
    if (state.kind === 'finished') return ended('skipped');
    if (state.kind === 'untrusted') throw state.error;
    if (state.kind === 'foreign') {
      aside = await setAside(directory, { takeOver });
      display.note(label, `what was in its folder is now in ${displayPath(aside)}: ${state.reason}`);
    }
    display.begin(label, state.kind === 'unfinished' ? 'resumes' : 'starts');
    const { exitCode, errors } = await trainInChild(run, {
      ...child,
      resume: state.kind === 'unfinished',
      onProgress: (message) => display.progress(label, message),
    });
    const status = exitCode === 0 ? 'finished' : child.signal.aborted ? 'stopped' : 'failed';
    const log = await keepErrors(directory, status === 'failed' ? errors : '');
    return ended(status, status === 'failed' ? errors : '', log);
  } catch (error) {
    return ended('failed', messageOf(error));
  }
}

const LOG_HEAD = '# What a run of a sweep said when it failed. The next sweep replaces this file.\n';

/** Keeps what a failed run said in a file beside its directory; one that has not failed has no such file. */
async function keepErrors(directory: string, errors: string): Promise<string | null> {
  const log = `${directory}.log`;
  try {
    // A user's own file of that name stays as it is.
    if (existsSync(log) && !(await readFile(log, 'utf8')).startsWith(LOG_HEAD)) return null;
    if (errors === '') await rm(log, { force: true });
    else await writeFile(log, `${LOG_HEAD}${errors}\n`);
    return errors === '' ? null : log;
  } catch {
    return null;
  }
}

const ENDING_MS = 30_000;
