import { invalidValue } from './errors.ts';
import type { Batch, DatasetInput, KeyValue, MetricPoint, WireNumber } from './types.ts';

/**
 * Bounds of one call and of its values. The server refuses a call beyond the first four and the key's length, and cuts
 * values without a word; `bytes` is what proxies and hosted servers enforce.
 */
export const limits = {
  metrics: 1000,
  params: 100,
  tags: 100,
  items: 1000,
  bytes: 900_000,
  key: 250,
  paramValue: 6000,
  tagValue: 8000,
  runName: 250,
  experimentName: 500,
  datasetName: 500,
  datasetDigest: 36,
  datasetSource: 65_535,
  datasetSchema: 1_048_575,
  datasetProfile: 16_777_215,
} as const;

const NAME = /^[\p{L}\p{N}_/. :-]+$/u;

/** Why a name of a metric, parameter or tag would be refused; null when it would not. */
export function nameProblem(name: string): string | null {
  if (name === '') return 'a name';
  if (name.length > limits.key) return `a name of ${limits.key} characters at most`;
  if (!NAME.test(name)) return 'letters, digits, _ - . : / and spaces';
  if (name.split('/').some((part) => part === '' || part === '.' || part === '..'))
    return 'a name whose parts between / are neither empty nor . nor ..';
  return null;
}

/** Checks the name of a metric, parameter or tag. */
export function checkName(name: unknown, what: string): string {
  const problem = typeof name === 'string' ? nameProblem(name) : 'a text';
  if (problem) throw invalidValue(`${what} name`, problem, name);
  return name as string;
}

/** A name that the server takes: what it refuses becomes `_`, and what is too long is cut. */
export function safeName(name: string): string {
  const parts = name
    .replace(/[^\p{L}\p{N}_/. :-]/gu, '_')
    .split('/')
    .map((part) => (part === '' || part === '.' || part === '..' ? '_' : part));
  return parts.join('/').slice(0, limits.key).replace(/\/$/, '_') || '_';
}

/** A text of at most `length` characters; what is cut off shows as `…`. */
export const cutText = (text: string, length: number): string =>
  text.length <= length ? text : `${text.slice(0, length - 1).replace(/[\uD800-\uDBFF]$/, '')}…`;

const HALF_CHARACTER = /\p{Surrogate}/u;

/** Half a character cannot be sent as UTF-8: the server would drop the rest of the call. */
const isText = (value: unknown): value is string => typeof value === 'string' && !HALF_CHARACTER.test(value);

/** A whole number that JSON and int64 both hold. `1.5` would make the server drop the rest of the call. */
export function checkInteger(value: unknown, what: string): number {
  if (!Number.isSafeInteger(value)) throw invalidValue(what, 'a whole number', value);
  return value as number;
}

/** A time in milliseconds since 1970. */
export function checkTime(value: unknown, what: string): number {
  if (!Number.isSafeInteger(value) || (value as number) < 0) {
    throw invalidValue(what, 'whole milliseconds since 1970', value);
  }
  return value as number;
}

/** A number as it travels: NaN and infinities by name. */
export function toWire(value: number): WireNumber {
  if (Number.isNaN(value)) return 'NaN';
  if (value === Number.POSITIVE_INFINITY) return 'Infinity';
  return value === Number.NEGATIVE_INFINITY ? '-Infinity' : value;
}

/** The other way round. */
export const fromWire = (value: WireNumber): number => Number(value);

/** A metric as the server reads it. */
export function wireMetric({ key, value, timestamp, step, modelId, datasetName, datasetDigest }: MetricPoint) {
  if (typeof value !== 'number') throw invalidValue(`metric ${key}`, 'a number', value);
  if ((datasetName === undefined) !== (datasetDigest === undefined))
    throw invalidValue(`metric ${key}`, 'name and digest of its data set, or neither', datasetName ?? datasetDigest);
  return {
    key: checkName(key, 'metric'),
    value: toWire(value),
    timestamp: checkTime(timestamp, `metric ${key}: time`),
    step: checkInteger(step, `metric ${key}: step`),
    ...(modelId === undefined ? {} : { model_id: modelId }),
    ...(datasetName === undefined ? {} : { dataset_name: datasetName, dataset_digest: datasetDigest }),
  };
}

const wirePair =
  (what: 'param' | 'tag', length: number) =>
  ({ key, value }: KeyValue): KeyValue => {
    checkName(key, what);
    if (!isText(value)) throw invalidValue(`${what} ${key}`, 'a text', value);
    if (value.length > length) {
      throw invalidValue(`${what} ${key}`, `${length} characters at most`, `${value.length} characters`);
    }
    return { key, value };
  };

/** A parameter as the server reads it. A number here would be stored as nothing, and the rest of the call dropped. */
export const wireParam = wirePair('param', limits.paramValue);

/** A tag as the server reads it. */
export const wireTag = wirePair('tag', limits.tagValue);

/** One call of log-batch, checked against what the server takes at once. */
export function wireBatch({ metrics = [], params = [], tags = [] }: Batch) {
  const counts = { metrics: metrics.length, params: params.length, tags: tags.length };
  for (const [what, count] of Object.entries(counts)) {
    const limit = limits[what as keyof typeof counts];
    if (count > limit) throw invalidValue('log-batch', `${limit} ${what} at most`, count);
  }
  const items = metrics.length + params.length + tags.length;
  if (items > limits.items) throw invalidValue('log-batch', `${limits.items} items at most`, items);
  const twice = params.find(({ key }, i) => params.findIndex((other) => other.key === key) !== i);
  if (twice) throw invalidValue('log-batch', 'each param once', twice.key);
  return { metrics: metrics.map(wireMetric), params: params.map(wireParam), tags: tags.map(wireTag) };
}

/** Name of an experiment. */
export function checkExperimentName(name: string): string {
  if (!isText(name) || name === '' || name.length > limits.experimentName)
    throw invalidValue('experiment name', `a text of 1 to ${limits.experimentName} characters`, name);
  return name;
}

/** A data set as the server reads it. */
export function wireDataset({ name, digest, context, sourceType, source, schema, profile }: DatasetInput) {
  const text = (value: string, what: string, length: number, least = 0): string => {
    if (!isText(value) || value.length < least || value.length > length)
      throw invalidValue(`data set ${what}`, `a text of ${least} to ${length} characters`, value);
    return value;
  };
  return {
    dataset: {
      name: text(name, 'name', limits.datasetName, 1),
      digest: text(digest, 'digest', limits.datasetDigest, 1),
      source_type: text(sourceType, 'source type', limits.key),
      source: text(source, 'source', limits.datasetSource),
      ...(schema === undefined ? {} : { schema: text(schema, 'schema', limits.datasetSchema) }),
      ...(profile === undefined ? {} : { profile: text(profile, 'profile', limits.datasetProfile) }),
    },
    tags: [{ key: 'mlflow.data.context', value: text(context, 'context', limits.tagValue, 1) }],
  };
}

/** Path of an artifact: no `..` (URLs resolve it), and none of what the server garbles. */
export function checkArtifactPath(path: string): string {
  const isBad = (part: string): boolean =>
    part === '' || part === '.' || part === '..' || /[#%\\]/.test(part) || Buffer.byteLength(part) > 255;
  if (path.split('/').some(isBad)) {
    throw invalidValue('artifact path', 'parts between / without # % \\, none of them empty, . or ..', path);
  }
  return path;
}

/** Name of a logged model. */
export function checkModelName(name: string): string {
  if (name === '' || /[/:.%"']/.test(name)) throw invalidValue('model name', 'none of / : . % " \'', name);
  return name;
}
