import type { Transport } from './transport.ts';
import type { KeyValue, LoggedModel } from './types.ts';
import { checkInteger, checkModelName, wireParam, wireTag } from './validate.ts';
import { text } from './wire.ts';

/** A new logged model. */
export interface NewModel {
  experimentId: string;
  /** None of `/ : . % " '`; need not be unique. */
  name: string;
  /** Run that made it. */
  runId: string;
  /** Free text, for example `classifier`. */
  type: string;
  params?: readonly KeyValue[];
  tags?: readonly KeyValue[];
}

/** Calls that concern logged models, which MLflow has since version 3. */
export interface ModelClient {
  /** Makes a model that is pending: put its files at `artifactUri`, then {@link finishModel}. Not repeated, as a run. */
  createModel(model: NewModel): Promise<LoggedModel>;
  finishModel(modelId: string, status: 'LOGGED_MODEL_READY' | 'LOGGED_MODEL_UPLOAD_FAILED'): Promise<LoggedModel>;
  getModel(modelId: string): Promise<LoggedModel>;
  /** Models of experiments; the filter is MLflow's own language. */
  searchModels(experimentIds: readonly string[], filter?: string): Promise<LoggedModel[]>;
  /** Shows a model among the outputs of a run, at a step. The server refuses a second time. */
  logModelOutput(runId: string, modelId: string, step: number): Promise<void>;
}

interface WireModel {
  info: {
    model_id: string;
    name: string;
    artifact_uri: string;
    status: string;
    tags?: KeyValue[];
  };
}

const read = (answer: Record<string, unknown>): LoggedModel => readModel(answer.model as WireModel);

const readModel = ({ info: { model_id, name, artifact_uri, status, tags = [] } }: WireModel): LoggedModel => ({
  modelId: text(model_id),
  name,
  artifactUri: text(artifact_uri),
  status,
  tags,
});

const MODELS = '/api/2.0/mlflow/logged-models';

/** Model calls over a transport. */
export function modelClient(transport: Transport): ModelClient {
  return {
    async createModel({ experimentId, name, runId, type, params = [], tags = [] }) {
      const model = {
        experiment_id: experimentId,
        name: checkModelName(name),
        source_run_id: runId,
        model_type: type,
        params: params.map(wireParam),
        tags: tags.map(wireTag),
      };
      return transport.call({ method: 'POST', path: MODELS, json: model, repeatable: false }, read);
    },
    finishModel: (modelId, status) =>
      transport.call({ method: 'PATCH', path: `${MODELS}/${modelId}`, json: { model_id: modelId, status } }, read),
    getModel: (modelId) => transport.call({ method: 'GET', path: `${MODELS}/${modelId}` }, read),
    async searchModels(experimentIds, filter) {
      const query = { experiment_ids: experimentIds, max_results: 50, ...(filter === undefined ? {} : { filter }) };
      return transport.call({ method: 'POST', path: `${MODELS}/search`, json: query }, ({ models = [] }) =>
        (models as WireModel[]).map(readModel),
      );
    },
    async logModelOutput(runId, modelId, step) {
      const models = [{ model_id: modelId, step: checkInteger(step, 'step of a model') }];
      await transport.call({ method: 'POST', path: '/api/2.0/mlflow/runs/outputs', json: { run_id: runId, models } });
    },
  };
}
