import { displayPath } from 'tailmix';
import {
  attachAtOnce,
  type Destination,
  type Flusher,
  type MlflowSettings,
  pagesOf,
  type RunEnd,
} from 'tailmix/tracking';
import { trackingRequired } from './errors.ts';
import type { MlflowOptions } from './options.ts';

/**
 * Has the server take a run before it begins.
 *
 * @throws {MlflowError} what keeps the server from it.
 * @throws {TailmixError} MLFLOW_REQUIRED
 */
export async function requireServer(
  directory: string | null,
  settings: MlflowSettings | null,
  destination: Destination,
): Promise<void> {
  if (settings === null) throw trackingRequired('no server is named: set MLFLOW_TRACKING_URI, or mlflow.server');
  if (directory === null) throw trackingRequired('the run has no directory that its spool can be written to');
  await attachAtOnce(directory, settings, destination);
}

/** Waits for the server to have all; says where it is, or how to send the rest. */
export async function conclude(
  flusher: Flusher,
  server: string,
  directory: string,
  { patience, server: named, experiment }: MlflowOptions,
  end: RunEnd,
): Promise<string> {
  const { complete, reason, experimentId, runId } = await flusher.end(1000 * patience, end);
  if (complete) {
    const pages = await pagesOf(directory, server, { experimentId: experimentId!, runId: runId! });
    return `MLflow: ${pages.run}\n  all runs: ${pages.experiment}`;
  }
  const flags = [
    ...(named === undefined ? [] : ['--server', server]),
    ...(experiment === undefined ? [] : ['--experiment', quoted(experiment)]),
  ];
  const command = ['tailmix mlflow sync', quoted(displayPath(directory)), ...flags].join(' ');
  return `MLflow does not have all of this run: ${reason}\nSend the rest: ${command}`;
}

const quoted = (text: string): string => (/^[\w./=-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`);
