import { rm } from 'node:fs/promises';
import { TailmixError } from '../errors.ts';
import { readLatest } from '../tracking/checkpoint.ts';
import { isRun, readSummary } from '../tracking/run-directory.ts';
import type { PlannedRun } from './expand.ts';

/** What is there of a run. */
export type RunState = 'new' | 'unfinished' | 'finished';

/** Looks at a run's directory. A run that ended before its first checkpoint is removed, since nothing can be resumed. */
export async function stateOf({ directory, hash }: PlannedRun): Promise<RunState> {
  if (!isRun(directory)) return 'new';
  try {
    const summary = await readSummary(directory);
    if (summary?.status === 'finished' && summary.configHash === hash) return 'finished';
    const { snapshot } = await readLatest(directory);
    if (snapshot.configHash === hash) return 'unfinished';
  } catch (error) {
    if (!(error instanceof TailmixError)) throw error;
  }
  await rm(directory, { recursive: true });
  return 'new';
}
