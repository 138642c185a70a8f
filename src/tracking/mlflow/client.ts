import { type ArtifactClient, artifactClient } from './artifacts.ts';
import { experimentDeleted, MlflowError } from './errors.ts';
import { type ModelClient, modelClient } from './models.ts';
import type { MlflowSettings } from './settings.ts';
import { type Answer, openTransport } from './transport.ts';
import type {
  Batch,
  DatasetInput,
  Experiment,
  KeyValue,
  RunStatus,
  ServerInfo,
  StoredMetric,
  StoredRun,
  StoredRunInfo,
} from './types.ts';
import {
  checkExperimentName,
  checkInteger,
  checkTime,
  cutText,
  limits,
  wireBatch,
  wireDataset,
  wireTag,
} from './validate.ts';
import { readExperiment, readRun, readRunInfo, type WireExperiment, type WireRun } from './wire.ts';

/** A new run. */
export interface NewRun {
  experimentId: string;
  name: string;
  /** Milliseconds since 1970. */
  startTime: number;
  tags?: readonly KeyValue[];
}

/**
 * The part of MLflow's REST interface that tracks experiments, typed and checked: what the server would store damaged,
 * or drop without a word, is refused before it is sent. Every call throws {@link MlflowError}.
 */
export interface MlflowClient extends ArtifactClient, ModelClient {
  readonly server: string;
  /** What the server says of itself; null from a server before MLflow 3. */
  serverInfo(): Promise<ServerInfo | null>;
  getExperiment(experimentId: string): Promise<Experiment>;
  /** Null when there is none of that name. */
  findExperiment(name: string): Promise<Experiment | null>;
  /** The experiment of that name, made where it is missing; refuses a deleted one. */
  ensureExperiment(name: string, tags?: readonly KeyValue[]): Promise<Experiment>;
  setExperimentTag(experimentId: string, tag: KeyValue): Promise<void>;
  /** Makes a run. Not repeated when no answer came: look for it by a tag of its own before making it again. */
  createRun(run: NewRun): Promise<StoredRun>;
  getRun(runId: string): Promise<StoredRun>;
  /** Runs that are not deleted; the filter is MLflow's own language. */
  searchRuns(experimentIds: readonly string[], filter?: string, maxResults?: number): Promise<StoredRun[]>;
  updateRun(runId: string, changes: { status?: RunStatus; endTime?: number; name?: string }): Promise<StoredRunInfo>;
  deleteRun(runId: string): Promise<void>;
  restoreRun(runId: string): Promise<void>;
  /** Up to 1,000 items in one call: all or, where a name or size is wrong, none. Sent twice, they are stored once. */
  logBatch(runId: string, batch: Batch): Promise<void>;
  setTag(runId: string, tag: KeyValue): Promise<void>;
  logInputs(runId: string, datasets: readonly DatasetInput[]): Promise<void>;
  /** Every point of a metric, by time and then step. */
  metricHistory(runId: string, key: string): Promise<StoredMetric[]>;
  close(): Promise<void>;
}

const API = '/api/2.0/mlflow';
const PAGE = 20_000;
/** A server that is there says what it is at once. */
const HELLO_MS = 2000;

/** Opens a client; `resolveSettings` makes the settings from an address and MLflow's variables. */
export function createMlflowClient(settings: MlflowSettings): MlflowClient {
  const transport = openTransport(settings);
  const get = <T>(
    path: string,
    query: Record<string, string | number | undefined>,
    read: (answer: Answer) => T,
  ): Promise<T> => transport.call({ method: 'GET', path: `${API}/${path}`, query }, read);
  const post = <T = Answer>(
    path: string,
    json: unknown,
    { repeatable = true, read = (answer) => answer as T }: { repeatable?: boolean; read?: (answer: Answer) => T } = {},
  ): Promise<T> => transport.call({ method: 'POST', path: `${API}/${path}`, json, repeatable }, read);
  const experimentIn = ({ experiment }: Answer): Experiment => readExperiment(experiment as WireExperiment);
  const runIn = ({ run }: Answer): StoredRun => readRun(run as WireRun);

  const findExperiment = async (name: string): Promise<Experiment | null> => {
    try {
      return await get('experiments/get-by-name', { experiment_name: name }, experimentIn);
    } catch (error) {
      if (error instanceof MlflowError && error.errorCode === 'RESOURCE_DOES_NOT_EXIST') return null;
      throw error;
    }
  };
  const activeExperiment = async (name: string): Promise<Experiment | null> => {
    const found = await findExperiment(name);
    if (found?.lifecycleStage === 'deleted') throw experimentDeleted(name);
    return found;
  };

  return {
    server: transport.server,
    close: () => transport.close(),
    ...artifactClient(transport),
    ...modelClient(transport),
    findExperiment,

    async serverInfo() {
      try {
        const info = await transport.call({
          method: 'GET',
          path: '/api/3.0/mlflow/server-info',
          retries: 0,
          timeout: HELLO_MS,
        });
        return { storeType: String(info.store_type ?? ''), artifactServing: info.artifact_serving_enabled !== false };
      } catch (error) {
        if (error instanceof MlflowError && error.status === 404) return null;
        throw error;
      }
    },
    getExperiment: (experimentId) => get('experiments/get', { experiment_id: experimentId }, experimentIn),
    async ensureExperiment(name, tags = []) {
      const found = await activeExperiment(name);
      if (found) return found;
      try {
        await post(
          'experiments/create',
          { name: checkExperimentName(name), tags: tags.map(wireTag) },
          { repeatable: false },
        );
      } catch (error) {
        // Somebody else made it meanwhile, or the answer was lost: what counts is whether it is there.
        if (!(error instanceof MlflowError) || (!error.isPassing && error.errorCode !== 'RESOURCE_ALREADY_EXISTS'))
          throw error;
        const made = await activeExperiment(name);
        if (!made) throw error;
      }
      return (await activeExperiment(name))!;
    },
    async setExperimentTag(experimentId, tag) {
      await post('experiments/set-experiment-tag', { experiment_id: experimentId, ...wireTag(tag) });
    },
    async createRun({ experimentId, name, startTime, tags = [] }) {
      const run = {
        experiment_id: experimentId,
        run_name: cutText(name, limits.runName),
        start_time: checkTime(startTime, 'start of a run'),
        tags: tags.map(wireTag),
      };
      return post('runs/create', run, { repeatable: false, read: runIn });
    },
    getRun: (runId) => get('runs/get', { run_id: runId }, runIn),
    async searchRuns(experimentIds, filter, maxResults = 1000) {
      const query = { experiment_ids: experimentIds, max_results: checkInteger(maxResults, 'max_results'), filter };
      return post('runs/search', query, { read: ({ runs = [] }) => (runs as WireRun[]).map(readRun) });
    },
    async updateRun(runId, { status, endTime, name }) {
      const changes = {
        run_id: runId,
        ...(status === undefined ? {} : { status }),
        ...(endTime === undefined ? {} : { end_time: checkTime(endTime, 'end of a run') }),
        ...(name === undefined ? {} : { run_name: cutText(name, limits.runName) }),
      };
      return post('runs/update', changes, { read: ({ run_info }) => readRunInfo(run_info as WireRun['info']) });
    },
    async deleteRun(runId) {
      await post('runs/delete', { run_id: runId });
    },
    async restoreRun(runId) {
      await post('runs/restore', { run_id: runId });
    },
    async logBatch(runId, batch) {
      await post('runs/log-batch', { run_id: runId, ...wireBatch(batch) });
    },
    async setTag(runId, tag) {
      await post('runs/set-tag', { run_id: runId, ...wireTag(tag) });
    },
    async logInputs(runId, datasets) {
      await post('runs/log-inputs', { run_id: runId, datasets: datasets.map(wireDataset) });
    },
    async metricHistory(runId, key) {
      const points: StoredMetric[] = [];
      let page: string | undefined;
      do {
        const query = { run_id: runId, metric_key: key, max_results: PAGE, page_token: page };
        const { found, next } = await get('metrics/get-history', query, ({ metrics = [], next_page_token }) => ({
          found: (metrics as StoredMetric[]).map(({ key, value, timestamp, step }) => ({
            key,
            value,
            timestamp,
            step: step ?? 0,
          })),
          next: next_page_token as string | undefined,
        }));
        points.push(...found);
        page = next || undefined;
      } while (page !== undefined);
      return points;
    },
  };
}
