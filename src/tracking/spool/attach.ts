import { resolve } from 'node:path';
import type { MlflowClient } from '../mlflow/client.ts';
import { MlflowError } from '../mlflow/errors.ts';
import type { Experiment, StoredRun } from '../mlflow/types.ts';
import { experimentGone, runDeleted } from './errors.ts';
import { filledIn } from './experiment-name.ts';
import { whileSending } from './locks.ts';
import { hasSpool, readSpoolRun } from './read.ts';
import type { RunRecord } from './records.ts';
import { readSent, type ServerState, writeSent } from './sent.ts';
import type { Texts } from './write.ts';

/** Tag by which a run is found again. */
export const UID_TAG = 'tailmix.uid';

/** Where runs go that the server does not have yet; default: the experiment that their spool names. */
export type Destination = { experiment?: string; experimentId?: string };

/** The destination that MLflow's own variables name. */
export const experimentDestination = (
  env: Readonly<Record<string, string | undefined>> = process.env,
): Destination => ({
  ...(env.MLFLOW_EXPERIMENT_NAME ? { experiment: env.MLFLOW_EXPERIMENT_NAME } : {}),
  ...(env.MLFLOW_EXPERIMENT_ID ? { experimentId: env.MLFLOW_EXPERIMENT_ID } : {}),
});

/**
 * The run of a spool as a server has it; made where the server has none, and found by its uid where an answer was lost.
 *
 * @throws {MlflowError}
 * @throws {TailmixError} SPOOL_MISSING, SPOOL_DAMAGED
 */
export async function attachRun(
  runDirectory: string,
  client: MlflowClient,
  destination: Destination = {},
): Promise<ServerState> {
  const known = (await readSent(runDirectory))[client.server];
  if (known && (await isThere(client, known))) return known;
  const record = await readSpoolRun(runDirectory);
  const { experimentId } = await experimentOf(client, record, destination);
  const run =
    (await findByUid(client, experimentId, record.uid)) ??
    (await createRun(client, experimentId, record, await parentOf(runDirectory, client, record, experimentId)));
  const { runId, artifactUri } = run.info;
  const state = { experimentId, runId, artifactUri, sent: 0, postponed: [], models: {} };
  // Where it cannot be written, the run is found by its uid.
  await writeSent(runDirectory, client.server, state).catch(() => {});
  return state;
}

async function isThere(client: MlflowClient, { runId }: ServerState): Promise<boolean> {
  try {
    const { info } = await client.getRun(runId);
    if (info.lifecycleStage === 'deleted') throw runDeleted(client.server, runId);
    return true;
  } catch (error) {
    if (error instanceof MlflowError && error.errorCode === 'RESOURCE_DOES_NOT_EXIST') return false;
    throw error;
  }
}

/** Tags of the experiment of a run. The comparison of training methods, not of prompts, is what MLflow should show. */
export const experimentTags = ({ experimentTags: own }: RunRecord): Texts => ({
  'mlflow.experimentKind': 'custom_model_development',
  ...own,
});

async function experimentOf(
  client: MlflowClient,
  record: RunRecord,
  { experiment, experimentId }: Destination,
): Promise<Experiment> {
  const tags = Object.entries(experimentTags(record)).map(([key, value]) => ({ key, value }));
  const found =
    experimentId === undefined
      ? await client.ensureExperiment(filledIn(experiment ?? record.experiment), tags)
      : await client.getExperiment(experimentId);
  if (found.lifecycleStage === 'deleted') throw experimentGone(found.experimentId);
  for (const tag of tags)
    if (!found.tags.some(({ key }) => key === tag.key)) await client.setExperimentTag(found.experimentId, tag);
  return found;
}

const withUid = (client: MlflowClient, experimentId: string, uid: string): Promise<StoredRun[]> =>
  client.searchRuns([experimentId], `tags.\`${UID_TAG}\` = '${uid.replaceAll("'", '')}'`);

const findByUid = async (client: MlflowClient, experimentId: string, uid: string): Promise<StoredRun | null> =>
  (await withUid(client, experimentId, uid))[0] ?? null;

/**
 * Deletes empty runs of the same uid: a slow server may make one after we gave up waiting, had not found it, and made
 * another.
 */
export async function removeGhosts(
  runDirectory: string,
  client: MlflowClient,
  { experimentId, runId }: ServerState,
): Promise<void> {
  const { uid } = await readSpoolRun(runDirectory);
  for (const { info, metrics, params } of await withUid(client, experimentId, uid))
    if (info.runId !== runId && metrics.length === 0 && params.length === 0) await client.deleteRun(info.runId);
}

const createRun = (
  client: MlflowClient,
  experimentId: string,
  { uid, name, time, tags }: RunRecord,
  parentId: string | null,
): Promise<StoredRun> =>
  client.createRun({
    experimentId,
    name,
    startTime: time,
    tags: Object.entries({
      ...tags,
      [UID_TAG]: uid,
      ...(parentId === null ? {} : { 'mlflow.parentRunId': parentId }),
    }).map(([key, value]) => ({ key, value })),
  });

/** The run that a run is a part of, made where the server does not have it and its folder is still there. */
async function parentOf(
  runDirectory: string,
  client: MlflowClient,
  { parent }: RunRecord,
  experimentId: string,
): Promise<string | null> {
  if (!parent) return null;
  const directory = resolve(runDirectory, parent.directory);
  const isAsItWas = hasSpool(directory) && (await readSpoolRun(directory)).uid === parent.uid;
  if (!isAsItWas) return (await findByUid(client, experimentId, parent.uid))?.info.runId ?? null;
  const { runId } = await whileSending(directory, () => attachRun(directory, client, { experimentId }));
  return runId;
}
