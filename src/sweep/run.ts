import { messageOf } from '../errors.ts';
import { type ChildContext, trainInChild } from './child.ts';
import type { PlannedRun } from './expand.ts';
import type { SweepDisplay } from './show.ts';
import { stateOf } from './state.ts';

/** What became of a run. */
export interface RunOutcome {
  run: PlannedRun;
  status: 'finished' | 'skipped' | 'failed' | 'stopped';
  /** Of a failed run: what it said. */
  message: string;
}

/**
 * Runs what is not finished, some at once. A run that fails does not stop the others; when the signal aborts, those
 * under way end in good order and no other starts.
 */
export async function runSweep(
  runs: readonly PlannedRun[],
  { jobs, display, ...child }: Omit<ChildContext, 'onProgress' | 'resume'> & { jobs: number; display: SweepDisplay },
): Promise<RunOutcome[]> {
  const waiting = runs.entries();
  const outcomes: RunOutcome[] = [];
  const worker = async (): Promise<void> => {
    for (const [place, run] of waiting) {
      if (child.signal.aborted) return;
      outcomes[place] = await runOne(run, display, child);
    }
  };
  await Promise.all(Array.from({ length: Math.min(jobs, runs.length) }, worker));
  return runs.map((run, place) => outcomes[place] ?? { run, status: 'stopped', message: '' });
}

async function runOne(
  run: PlannedRun,
  display: SweepDisplay,
  child: Omit<ChildContext, 'onProgress' | 'resume'>,
): Promise<RunOutcome> {
  const { label } = run;
  const state = await stateOf(run);
  if (state === 'finished') {
    display.end(label, 'was finished before');
    return { run, status: 'skipped', message: '' };
  }
  display.begin(label, state);
  const { exitCode, errors } = await trainInChild(run, {
    ...child,
    resume: state === 'unfinished',
    onProgress: (message) => display.progress(label, message),
  }).catch((error: unknown) => ({ exitCode: 1, errors: messageOf(error) }));
  const status = exitCode === 0 ? 'finished' : child.signal.aborted ? 'stopped' : 'failed';
  display.end(label, status);
  return { run, status, message: status === 'failed' ? errors : '' };
}
