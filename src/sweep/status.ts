import { isOwned } from '../tracking/ownership.ts';
import { readEpochs, readSummary } from '../tracking/run-directory.ts';
import type { PlannedRun } from './expand.ts';
import { stateOf } from './state.ts';

/** How far a run is, as its directory says. */
export interface RunProgress {
  /**
   * `foreign`: its folder holds something else, which is moved away before it trains; `untrusted`: a run of which nothing says that
   * it is the user's own.
   */
  state: 'new' | 'running' | 'unfinished' | 'failed' | 'finished' | 'foreign' | 'untrusted';
  /** Epochs that it has trained. */
  epochs: number;
}

/**
 * How far a run is. Changes nothing.
 *
 * @param isRunning - known from elsewhere
 */
export async function progressOf(
  run: PlannedRun,
  context: Parameters<typeof stateOf>[1],
  isRunning = false,
): Promise<RunProgress> {
  const { directory } = run;
  const { kind } = await stateOf(run, context);
  const epochs = kind === 'new' || kind === 'foreign' ? 0 : await epochsOf(directory);
  if (kind === 'finished') return { state: kind, epochs };
  if (isRunning || (await isOwned(directory))) return { state: 'running', epochs };
  if (kind !== 'unfinished') return { state: kind, epochs };
  const summary = await readSummary(directory).catch(() => null);
  return { state: summary?.status === 'failed' ? 'failed' : 'unfinished', epochs };
}

/** A line that is damaged is told by the run that is resumed. */
const epochsOf = (directory: string): Promise<number> =>
  readEpochs(directory).then(
    (epochs) => epochs.length,
    () => 0,
  );
