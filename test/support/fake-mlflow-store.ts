import { randomBytes } from 'node:crypto';

/** An answer that is no success. */
export class Refusal extends Error {
  readonly status: number;
  readonly code: string;

  constructor(status: number, code: string, message: string) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

type Json = Record<string, unknown>;
interface Point {
  key: string;
  value: number | string;
  timestamp: number;
  step: number;
}

/** A run as the fake server has it. */
export interface FakeRun {
  runId: string;
  experimentId: string;
  name: string;
  status: string;
  startTime: number;
  endTime: number | null;
  stage: 'active' | 'deleted';
  points: Point[];
  params: Map<string, string>;
  tags: Map<string, string>;
  inputs: Json[];
  outputs: Json[];
}

/** A logged model. */
export interface FakeModel {
  modelId: string;
  name: string;
  experimentId: string;
  status: string;
  tags: Json[];
}

/** Everything that the server keeps. */
export interface FakeStore {
  experiments: { id: string; name: string; stage: 'active' | 'deleted'; tags: Map<string, string> }[];
  runs: Map<string, FakeRun>;
  models: Map<string, FakeModel>;
  artifacts: Map<string, Buffer>;
}

export const emptyStore = (): FakeStore => ({
  experiments: [],
  runs: new Map(),
  models: new Map(),
  artifacts: new Map(),
});

const hex = (): string => randomBytes(16).toString('hex');
const NAME = /^[\p{L}\p{N}_/. :-]+$/u;
const invalid = (message: string): Refusal => new Refusal(400, 'INVALID_PARAMETER_VALUE', message);

/** Protobuf's JSON reader stops at what it cannot read, and the server goes on with what came before. */
class Damaged extends Error {}

const int = (value: unknown): number => {
  if (typeof value !== 'number' || !Number.isInteger(value)) throw new Damaged();
  return value;
};
const text = (value: unknown): string => {
  if (typeof value !== 'string') throw new Damaged();
  return value;
};
function double(value: unknown): number | string {
  if (value === null) throw invalid('Missing value for required parameter');
  if (typeof value === 'boolean') return Number(value);
  if (typeof value === 'number') return value;
  const special: Record<string, number | string> = {
    NaN: 'NaN',
    Infinity: 1.7976931348623157e308,
    '-Infinity': -1.7976931348623157e308,
  };
  if (typeof value === 'string' && value in special) return special[value]!;
  throw new Damaged();
}

/** Reads a list of messages: an element that is damaged stays half-filled, and everything behind it is lost. */
function list<T>(
  value: unknown,
  blank: () => T,
  fill: (item: T, from: Json) => void,
): { items: T[]; damaged: boolean } {
  const items: T[] = [];
  if (!Array.isArray(value)) return { items, damaged: value !== undefined };
  for (const from of value) {
    const item = blank();
    items.push(item);
    try {
      fill(item, from as Json);
    } catch (error) {
      if (error instanceof Damaged) return { items, damaged: true };
      throw error;
    }
  }
  return { items, damaged: false };
}

const readPairs = (value: unknown) =>
  list(
    value,
    () => ({ key: '', value: '' }),
    (item, from) => {
      item.key = text(from.key);
      item.value = text(from.value);
    },
  );

const readPoints = (value: unknown) =>
  list<Point>(
    value,
    () => ({ key: '', value: 0, timestamp: 0, step: 0 }),
    (item, from) => {
      item.key = text(from.key);
      item.value = double(from.value);
      if (from.timestamp === undefined) throw invalid("Missing value for required parameter 'timestamp'");
      item.timestamp = int(from.timestamp);
      item.step = from.step === undefined ? 0 : int(from.step);
    },
  );

function checkKeys(items: readonly { key: string }[]): void {
  for (const { key } of items) {
    if (!NAME.test(key) || key.length > 250 || key.split('/').some((part) => ['', '.', '..'].includes(part)))
      throw invalid(`Invalid name: '${key}'. Names may only contain alphanumerics, …`);
  }
}

const active = (run: FakeRun): FakeRun => {
  if (run.stage !== 'active') throw invalid(`The run ${run.runId} must be in the 'active' state.`);
  return run;
};

export const findRun = ({ runs }: FakeStore, id: unknown): FakeRun => {
  const run = runs.get(String(id));
  if (!run) throw new Refusal(404, 'RESOURCE_DOES_NOT_EXIST', `Run with id=${id} not found`);
  return run;
};

export function createExperiment(store: FakeStore, body: Json): Json {
  if (store.experiments.some(({ name }) => name === body.name))
    throw new Refusal(400, 'RESOURCE_ALREADY_EXISTS', `Experiment(name=${body.name}) already exists.`);
  const id = String(store.experiments.length + 1);
  const tags = readPairs(body.tags).items.map(({ key, value }) => [key, value] as const);
  store.experiments.push({ id, name: String(body.name), stage: 'active', tags: new Map(tags) });
  return { experiment_id: id };
}

export const showExperiment = (store: FakeStore, wanted: { id?: unknown; name?: unknown }): Json => {
  const found = store.experiments.find(({ id, name }) => id === wanted.id || name === wanted.name);
  if (!found) throw new Refusal(404, 'RESOURCE_DOES_NOT_EXIST', 'Could not find experiment');
  const { id, name, stage } = found;
  const tags = [...found.tags].map(([key, value]) => ({ key, value }));
  return {
    experiment: {
      experiment_id: id,
      name,
      artifact_location: `mlflow-artifacts:/${id}`,
      lifecycle_stage: stage,
      ...(tags.length > 0 ? { tags } : {}),
    },
  };
};

export function createRun(store: FakeStore, body: Json): Json {
  const { items } = readPairs(body.tags);
  checkKeys(items);
  const run: FakeRun = {
    runId: hex(),
    experimentId: String(body.experiment_id),
    name: String(body.run_name ?? 'fearless-perch-753'),
    status: 'RUNNING',
    startTime: Number.isInteger(body.start_time) ? (body.start_time as number) : 0,
    endTime: null,
    stage: 'active',
    points: [],
    params: new Map(),
    tags: new Map(items.map(({ key, value }) => [key, value])),
    inputs: [],
    outputs: [],
  };
  store.runs.set(run.runId, run);
  return { run: showRun(run) };
}

export function logBatch(store: FakeStore, body: Json): Json {
  for (const what of ['metrics', 'params', 'tags']) {
    if (!Array.isArray(body[what] ?? [])) throw invalid(`Invalid value for parameter '${what}' supplied`);
  }
  const run = active(findRun(store, body.run_id));
  const points = readPoints(body.metrics);
  const params = points.damaged ? { items: [], damaged: true } : readPairs(body.params);
  const tags = params.damaged ? { items: [] } : readPairs(body.tags);
  const sizes = [points.items.length, params.items.length, tags.items.length];
  if (sizes[0]! > 1000 || sizes[1]! > 100 || sizes[2]! > 100 || sizes.reduce((a, b) => a + b) > 1000)
    throw invalid('A batch logging request can contain at most 1000 …');
  checkKeys([...points.items, ...params.items, ...tags.items]);
  if (new Set(params.items.map(({ key }) => key)).size < params.items.length)
    throw invalid('Duplicate parameter keys have been submitted');
  for (const { key, value } of params.items) {
    const before = run.params.get(key);
    if (before !== undefined && before !== value.slice(0, 6000))
      throw invalid(`Changing param values is not allowed. Param with key='${key}' was already logged`);
  }
  for (const { key, value } of params.items) run.params.set(key, value.slice(0, 6000));
  for (const { key, value } of tags.items) run.tags.set(key, value.slice(0, 8000));
  const identity = (point: Point): string => JSON.stringify([point.key, point.value, point.timestamp, point.step]);
  const known = new Set(run.points.map(identity));
  for (const point of points.items) {
    if (known.has(identity(point))) continue;
    known.add(identity(point));
    run.points.push(point);
  }
  return {};
}

export function updateRun(store: FakeStore, body: Json): Json {
  const run = findRun(store, body.run_id);
  if (['RUNNING', 'SCHEDULED', 'FINISHED', 'FAILED', 'KILLED'].includes(String(body.status)))
    run.status = String(body.status);
  if (Number.isInteger(body.end_time)) run.endTime = body.end_time as number;
  if (typeof body.run_name === 'string') run.name = body.run_name;
  return { run_info: (showRun(run) as { info: Json }).info };
}

export function showRun(run: FakeRun): Json {
  const latest = new Map<string, Point>();
  for (const point of run.points) {
    const before = latest.get(point.key);
    if (!before || point.step >= before.step) latest.set(point.key, point);
  }
  const pairs = (map: Map<string, string>) => [...map].map(([key, value]) => ({ key, value }));
  const filled = (lists: Record<string, unknown[]>) =>
    Object.fromEntries(Object.entries(lists).filter(([, items]) => items.length > 0));
  return {
    info: {
      run_id: run.runId,
      run_name: run.name,
      experiment_id: run.experimentId,
      status: run.status,
      start_time: run.startTime,
      ...(run.endTime === null ? {} : { end_time: run.endTime }),
      artifact_uri: `mlflow-artifacts:/${run.experimentId}/${run.runId}/artifacts`,
      lifecycle_stage: run.stage,
    },
    data: filled({ metrics: [...latest.values()], params: pairs(run.params), tags: pairs(run.tags) }),
    inputs: filled({ dataset_inputs: run.inputs }),
    outputs: filled({ model_outputs: run.outputs }),
  };
}

export function createModel(store: FakeStore, body: Json): Json {
  const model: FakeModel = {
    modelId: `m-${hex()}`,
    name: String(body.name),
    experimentId: String(body.experiment_id),
    status: 'LOGGED_MODEL_PENDING',
    tags: (body.tags as Json[]) ?? [],
  };
  store.models.set(model.modelId, model);
  return showModel(model);
}

export const showModel = ({ modelId, name, experimentId, status, tags }: FakeModel): Json => ({
  model: {
    info: {
      model_id: modelId,
      name,
      artifact_uri: `mlflow-artifacts:/${experimentId}/models/${modelId}/artifacts`,
      status,
      tags,
    },
  },
});
