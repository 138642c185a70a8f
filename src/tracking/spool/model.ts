import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { MlflowClient } from '../mlflow/client.ts';
import type { LoggedModel } from '../mlflow/types.ts';
import { isRefusal, pointsOf } from './batch.ts';
import type { Artifact, RecordOf } from './records.ts';
import type { ServerState } from './sent.ts';

const MODEL_TAG = 'tailmix.model';

/**
 * Sends a logged model with its files, as one of the run's outputs, and links it to points of the run.
 *
 * @param key - tells the models of a run apart.
 * @returns its id.
 */
export async function sendModel(
  record: RecordOf<'model'>,
  key: string,
  {
    runDirectory,
    client,
    state: { experimentId, runId, models },
    onRemark,
    onProgress,
  }: {
    runDirectory: string;
    client: MlflowClient;
    state: ServerState;
    onRemark: (remark: string) => void;
    onProgress: () => void;
  },
): Promise<string> {
  if (models[key] !== undefined) return models[key];
  const { modelId, artifactUri, status } = await ensureModel(client, record, { experimentId, runId, key });
  if (status === 'LOGGED_MODEL_READY') return modelId;
  for (const { path, file } of modelFiles(runDirectory, record)) {
    const source = join(runDirectory, file);
    if (existsSync(source)) await client.uploadArtifact(artifactUri, path, { file: source, onRead: onProgress });
    else onRemark(`${file}: it is not in the run directory any more, and was not sent with the model.`);
  }
  if (record.metrics) {
    const { dataset } = record.metrics;
    const measuredOn = dataset && { datasetName: dataset.name, datasetDigest: dataset.digest };
    const metrics = pointsOf(record.metrics).map((point) => ({ ...point, modelId, ...measuredOn }));
    await client.logBatch(runId, { metrics });
  }
  await addOutput(client, runId, { modelId, step: record.step });
  await client.finishModel(modelId, 'LOGGED_MODEL_READY');
  return modelId;
}

/** The files of a model; those of its export as they are now. */
export function modelFiles(
  runDirectory: string,
  { files, folder }: Pick<RecordOf<'model'>, 'files' | 'folder'>,
): readonly Artifact[] {
  if (folder === undefined || !existsSync(join(runDirectory, folder))) return files;
  const exported = readdirSync(join(runDirectory, folder)).sort();
  return [...exported.map((path) => ({ path, file: `${folder}/${path}` })), ...files];
}

/** Refused where an answer was lost and it is there already. */
async function addOutput(
  client: MlflowClient,
  runId: string,
  { modelId, step }: { modelId: string; step: number },
): Promise<void> {
  try {
    await client.logModelOutput(runId, modelId, step);
  } catch (error) {
    if (!isRefusal(error)) throw error;
    const { models } = await client.getRun(runId);
    if (!models.some((model) => model.modelId === modelId)) throw error;
  }
}

/** Found by its tag where an answer was lost. */
async function ensureModel(
  client: MlflowClient,
  { name, kind, params, tags }: RecordOf<'model'>,
  { experimentId, runId, key }: { experimentId: string; runId: string; key: string },
): Promise<LoggedModel> {
  const uid = `${runId}:${key}`;
  const [found] = await client.searchModels([experimentId], `tags.\`${MODEL_TAG}\` = '${uid}'`);
  if (found) return found;
  const pairs = (values: Record<string, string>) => Object.entries(values).map(([key, value]) => ({ key, value }));
  return client.createModel({
    experimentId,
    name,
    runId,
    type: kind,
    params: pairs(params),
    tags: pairs({ ...tags, [MODEL_TAG]: uid }),
  });
}
