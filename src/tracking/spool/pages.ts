import { experimentPage, runPage, VIEW_TAG } from '../mlflow/pages.ts';
import { readSpoolRun } from './read.ts';
import type { ServerState } from './sent.ts';

/** Addresses in MLflow of a run, and of all runs of its experiment. */
export interface RunPages {
  run: string;
  experiment: string;
}

/**
 * Where to look at a run that was sent.
 *
 * @throws {TailmixError} SPOOL_MISSING, SPOOL_DAMAGED
 */
export async function pagesOf(
  runDirectory: string,
  server: string,
  { experimentId, runId }: Pick<ServerState, 'experimentId' | 'runId'>,
): Promise<RunPages> {
  const { experimentTags = {} } = await readSpoolRun(runDirectory);
  return {
    run: runPage(server, experimentId, runId),
    experiment: experimentPage(server, experimentId, VIEW_TAG in experimentTags),
  };
}
