/**
 * A client for MLflow's REST interface: runs, metrics, parameters, tags, data sets, artifacts, logged models. It stands
 * alone: nothing of the trainer is loaded with it.
 *
 * @example
 * const mlflow = createMlflowClient(resolveSettings('http://127.0.0.1:5000'));
 * const { experimentId } = await mlflow.ensureExperiment('long-tail');
 * const { info } = await mlflow.createRun({ experimentId, name: 'remix', startTime: Date.now() });
 * await mlflow.logBatch(info.runId, { metrics: [{ key: 'loss', value: 0.5, timestamp: Date.now(), step: 1 }] });
 * await mlflow.updateRun(info.runId, { status: 'FINISHED', endTime: Date.now() });
 * await mlflow.close();
 *
 * @module
 */
export type { ArtifactClient, ArtifactSource } from './artifacts.ts';
export { createMlflowClient, type MlflowClient, type NewRun } from './client.ts';
export { type Failure, MlflowError } from './errors.ts';
export type { ModelClient, NewModel } from './models.ts';
export { type ExperimentView, experimentPage, runPage, viewTag } from './pages.ts';
export { type Authentication, isServer, type MlflowSettings, resolveSettings } from './settings.ts';
export type {
  ArtifactEntry,
  Batch,
  DatasetInput,
  Experiment,
  KeyValue,
  LoggedModel,
  MetricPoint,
  RunStatus,
  ServerInfo,
  StoredMetric,
  StoredRun,
  StoredRunInfo,
  WireNumber,
} from './types.ts';
export { cutText, fromWire, limits, nameProblem, safeName } from './validate.ts';
