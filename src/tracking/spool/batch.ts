import type { MlflowClient } from '../mlflow/client.ts';
import { MlflowError } from '../mlflow/errors.ts';
import type { KeyValue, MetricPoint } from '../mlflow/types.ts';
import { fromWire, limits } from '../mlflow/validate.ts';
import type { RecordOf } from './records.ts';

/** One point, parameter or tag. */
export type Item = { metric: MetricPoint } | { param: KeyValue } | { tag: KeyValue };

/** Something that the server does not take, and why. */
export type OnRefused = (what: string, error: MlflowError) => void;

/** The points, parameters or tags of a line. */
export function itemsOf(record: RecordOf<'metrics' | 'params' | 'tags'>): Item[] {
  if (record.type === 'metrics') return pointsOf(record).map((metric) => ({ metric }));
  const pairs = Object.entries(record.values).map(([key, value]) => ({ key, value }));
  return record.type === 'params' ? pairs.map((param) => ({ param })) : pairs.map((tag) => ({ tag }));
}

/** Points that share time and step. */
export const pointsOf = ({
  time,
  step,
  values,
}: Pick<RecordOf<'metrics'>, 'time' | 'step' | 'values'>): MetricPoint[] =>
  Object.entries(values).map(([key, value]) => ({ key, value: fromWire(value), timestamp: time, step }));

/** Items in calls as large as the server allows, in order. */
export function splitItems(items: readonly Item[]): Item[][] {
  const calls: Item[][] = [];
  let counts = { metrics: 0, params: 0, tags: 0, bytes: 0 };
  let paramKeys = new Set<string>();
  for (const item of items) {
    const kind = 'metric' in item ? 'metrics' : 'param' in item ? 'params' : 'tags';
    const bytes = Buffer.byteLength(JSON.stringify(item));
    const isRepeated = 'param' in item && paramKeys.has(item.param.key);
    const isFull =
      counts[kind] === limits[kind] ||
      counts.metrics + counts.params + counts.tags === limits.items ||
      counts.bytes + bytes > limits.bytes;
    if (calls.length === 0 || isFull || isRepeated) {
      calls.push([]);
      counts = { metrics: 0, params: 0, tags: 0, bytes: 0 };
      paramKeys = new Set();
    }
    calls.at(-1)!.push(item);
    counts[kind]++;
    counts.bytes += bytes;
    if ('param' in item) paramKeys.add(item.param.key);
  }
  return calls;
}

/**
 * Sends items in one call. Where the server refuses it, halves of it, until what it refuses is found: that alone is left
 * out, and nothing behind it waits.
 */
export async function sendItems(
  client: MlflowClient,
  runId: string,
  items: readonly Item[],
  onRefused: OnRefused,
): Promise<void> {
  try {
    await client.logBatch(runId, {
      metrics: items.flatMap((item) => ('metric' in item ? [item.metric] : [])),
      params: items.flatMap((item) => ('param' in item ? [item.param] : [])),
      tags: items.flatMap((item) => ('tag' in item ? [item.tag] : [])),
    });
  } catch (error) {
    if (!isRefusal(error)) throw error;
    if (items.length > 1) {
      const half = Math.ceil(items.length / 2);
      await sendItems(client, runId, items.slice(0, half), onRefused);
      await sendItems(client, runId, items.slice(half), onRefused);
    } else onRefused(nameOf(items[0]!), error);
  }
}

/** Whether the server has read something and will never take it; a run that is gone is another matter. */
export const isRefusal = (error: unknown): error is MlflowError =>
  error instanceof MlflowError &&
  (error.failure === 'refused' || error.failure === 'invalid') &&
  error.errorCode !== 'RESOURCE_DOES_NOT_EXIST' &&
  !/'active' state/.test(error.message);

const nameOf = (item: Item): string => {
  if ('metric' in item) return `metric ${item.metric.key} at step ${item.metric.step}`;
  return 'param' in item ? `param ${item.param.key}` : `tag ${item.tag.key}`;
};
