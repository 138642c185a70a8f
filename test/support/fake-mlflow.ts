import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import {
  createExperiment,
  createModel,
  createRun,
  emptyStore,
  type FakeStore,
  findRun,
  logBatch,
  Refusal,
  showExperiment,
  showModel,
  showRun,
  updateRun,
} from './fake-mlflow-store.ts';

/**
 * What goes wrong with a call. `lost`: carried out, and the connection breaks before the answer; `reset`: it breaks
 * before anything is done; `hang`: no answer, ever; `cut`: carried out, and the answer breaks off; `instead`: carried
 * out, and something else is answered.
 */
export type Fault =
  | 'lost'
  | 'reset'
  | 'hang'
  | 'cut'
  | { instead: { status: number; type?: string; text?: string } }
  | { status: number; type?: string; text?: string; headers?: Record<string, string> }
  | { slowMs: number };

/** A call that the server got. */
export interface ReceivedCall {
  /** `POST runs/log-batch`. */
  name: string;
  headers: IncomingMessage['headers'];
  body: Record<string, unknown>;
}

/** A stand-in for an MLflow server, with what a real one was seen to do to calls that are not quite right. */
export interface FakeMlflow {
  url: string;
  store: FakeStore;
  calls: ReceivedCall[];
  /** Asked for each call. */
  fault: (call: ReceivedCall) => Fault | undefined;
  /** Stops listening and breaks connections; what is stored stays. */
  stop(): Promise<void>;
  /** Listens again, at the same address. */
  start(): Promise<void>;
}

const API = '/api/2.0/mlflow/';
const ARTIFACTS = '/api/2.0/mlflow-artifacts/artifacts/';

type Json = Record<string, unknown>;
type Handler = (store: FakeStore, body: Json, query: URLSearchParams) => Json;

const handlers: Record<string, Handler> = {
  'GET experiments/get-by-name': (store, _, query) => showExperiment(store, { name: query.get('experiment_name') }),
  'GET experiments/get': (store, _, query) => showExperiment(store, { id: query.get('experiment_id') }),
  'POST experiments/create': createExperiment,
  'POST experiments/set-experiment-tag': (store, { experiment_id, key, value }) => {
    store.experiments.find(({ id }) => id === experiment_id)!.tags.set(String(key), String(value));
    return {};
  },
  'POST runs/create': createRun,
  'GET runs/get': (store, _, query) => ({ run: showRun(findRun(store, query.get('run_id'))) }),
  'POST runs/update': updateRun,
  'POST runs/log-batch': logBatch,
  'POST runs/search': (store, { experiment_ids, filter }) => {
    const [, key, value] = /^tags\.`([^`]+)` = '([^']*)'$/.exec(String(filter ?? '')) ?? [];
    const runs = [...store.runs.values()].filter(
      (run) =>
        (experiment_ids as string[]).includes(run.experimentId) &&
        run.stage === 'active' &&
        (key === undefined || run.tags.get(key) === value),
    );
    return runs.length > 0 ? { runs: runs.map(showRun) } : {};
  },
  'POST runs/set-tag': (store, { run_id, key, value }) => {
    findRun(store, run_id).tags.set(String(key), String(value).slice(0, 8000));
    return {};
  },
  'POST runs/delete': (store, { run_id }) => {
    findRun(store, run_id).stage = 'deleted';
    return {};
  },
  'POST runs/restore': (store, { run_id }) => {
    findRun(store, run_id).stage = 'active';
    return {};
  },
  'POST runs/log-inputs': (store, { run_id, datasets }) => {
    const run = findRun(store, run_id);
    for (const input of datasets as { dataset: Json }[]) {
      const isSame = ({ dataset }: Json) =>
        (dataset as Json).name === input.dataset.name && (dataset as Json).digest === input.dataset.digest;
      if (!run.inputs.some(isSame)) run.inputs.push(input as Json);
    }
    return {};
  },
  'POST runs/outputs': (store, { run_id, models }) => {
    const { outputs } = findRun(store, run_id);
    for (const model of models as Json[]) {
      if (outputs.some(({ model_id }) => model_id === model.model_id))
        throw new Refusal(
          400,
          'BAD_REQUEST',
          '(sqlite3.IntegrityError) UNIQUE constraint failed: inputs.source_type, …',
        );
      outputs.push(model);
    }
    return {};
  },
  'GET metrics/get-history': (store, _, query) => {
    const metrics = findRun(store, query.get('run_id')).points.filter(({ key }) => key === query.get('metric_key'));
    return metrics.length > 0 ? { metrics } : {};
  },
  'GET artifacts/list': (store, _, query) => {
    const { experimentId, runId } = findRun(store, query.get('run_id'));
    const below = query.get('path');
    const folder = `${experimentId}/${runId}/artifacts/${below ? `${below}/` : ''}`;
    const found = new Map<string, Json>();
    for (const [key, bytes] of store.artifacts) {
      if (!key.startsWith(folder)) continue;
      const [name, ...rest] = key.slice(folder.length).split('/');
      const path = below ? `${below}/${name}` : name!;
      found.set(path, rest.length > 0 ? { path, is_dir: true } : { path, is_dir: false, file_size: bytes.length });
    }
    return found.size > 0 ? { files: [...found.values()] } : {};
  },
  'POST logged-models': createModel,
  'POST logged-models/search': (store, { experiment_ids, filter }) => {
    const [, key, value] = /^tags\.`([^`]+)` = '([^']*)'$/.exec(String(filter ?? '')) ?? [];
    const models = [...store.models.values()].filter(
      ({ experimentId, tags }) =>
        (experiment_ids as string[]).includes(experimentId) &&
        (key === undefined || tags.some((tag) => tag.key === key && tag.value === value)),
    );
    return models.length > 0 ? { models: models.map((model) => showModel(model).model) } : {};
  },
};

/** Starts a fake server on a free port of this machine. */
export async function startFakeMlflow(): Promise<FakeMlflow> {
  const server = createServer((request, response) => void answer(request, response));
  // As uvicorn does after 5 s, only sooner: whoever keeps a connection for longer meets a closed one.
  server.keepAliveTimeout = 5000;
  const listen = (port: number) => new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  await listen(0);
  const { port } = server.address() as AddressInfo;
  const fake: FakeMlflow = {
    url: `http://127.0.0.1:${port}`,
    store: emptyStore(),
    calls: [],
    fault: () => undefined,
    start: () => listen(port),
    stop() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeAllConnections();
      return closed;
    },
  };

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const parts: Buffer[] = [];
    try {
      for await (const part of request) parts.push(part as Buffer);
    } catch {
      return; // An upload that was cut off leaves nothing.
    }
    const bytes = Buffer.concat(parts);
    const { pathname, searchParams } = new URL(request.url!, fake.url);
    const isApi = pathname.startsWith(API);
    const name = `${request.method} ${isApi ? pathname.slice(API.length) : pathname}`;
    const call = { name, headers: request.headers, body: isApi ? parse(bytes) : {} };
    fake.calls.push(call);
    const fault = fake.fault(call);
    if (fault === 'hang') return;
    if (fault === 'reset') return void request.socket.destroy();
    if (fault !== undefined && typeof fault === 'object') {
      if ('slowMs' in fault) await delay(fault.slowMs);
      else if ('status' in fault) {
        response.writeHead(fault.status, { 'content-type': fault.type ?? 'text/plain', ...fault.headers });
        return void response.end(fault.text ?? '');
      }
    }
    const send = (status: number, body: string | Buffer, type = 'application/json'): void => {
      if (fault === 'lost') return void request.socket.destroy();
      if (fault === 'cut') {
        response.writeHead(status, { 'content-type': type, 'content-length': Buffer.byteLength(body) + 1 });
        return void response.write(body, () => request.socket.destroy());
      }
      if (typeof fault === 'object' && 'instead' in fault) {
        const { status: other, type: otherType = 'text/plain', text = '' } = fault.instead;
        return void response.writeHead(other, { 'content-type': otherType }).end(text);
      }
      response.writeHead(status, { 'content-type': type }).end(body);
    };
    try {
      if (pathname === '/api/3.0/mlflow/server-info')
        return send(200, JSON.stringify({ store_type: 'SqlStore', artifact_serving_enabled: true }));
      if (pathname.startsWith(ARTIFACTS)) {
        const path = decodeURIComponent(pathname.slice(ARTIFACTS.length));
        if (request.method === 'PUT') fake.store.artifacts.set(path, bytes);
        const stored = fake.store.artifacts.get(path);
        return stored ? send(200, request.method === 'PUT' ? '' : stored) : send(404, 'no such file', 'text/plain');
      }
      const [, model] = /^(?:GET|PATCH) logged-models\/(m-\w+)$/.exec(name) ?? [];
      if (model) {
        const found = fake.store.models.get(model)!;
        if (request.method === 'PATCH') found.status = String(call.body.status);
        return send(200, JSON.stringify(showModel(found)));
      }
      const handler = handlers[name];
      if (!handler) return send(404, '<html><h1>Not Found</h1></html>', 'text/html');
      if (request.method === 'POST' && request.headers['content-type'] !== 'application/json')
        throw new Refusal(400, 'BAD_REQUEST', 'Content-Type');
      send(200, JSON.stringify(handler(fake.store, call.body, searchParams)));
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      send(error.status, JSON.stringify({ error_code: error.code, message: error.message }));
    }
  }
  return fake;
}

/** JSON that does not parse reads as nothing. */
function parse(bytes: Buffer): Json {
  try {
    return JSON.parse(bytes.toString('utf8')) as Json;
  } catch {
    return {};
  }
}
