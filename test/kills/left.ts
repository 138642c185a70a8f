import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { checkpointEpochs, checkpointPath, readCheckpoint } from '../../src/tracking/checkpoint.ts';
import { readSpool } from '../../src/tracking/spool/read.ts';

/** What a run left, without what depends on the clock: text by name, equal for equal runs. */
export type Left = Readonly<Record<string, string>>;

const isClock = (key: string): boolean => /seconds|persecond|per_second|speed\/|system\/|^sha256$|^files$/i.test(key);

const timeless = (value: unknown): string =>
  JSON.stringify(value, (key, inner) => (isClock(key) || key === 'time' ? undefined : inner));

/**
 * Reads a run directory: each tensor of the newest checkpoint (weights, optimizer, statistics, averages) bit for bit,
 * its other state, `metrics.jsonl`, `summary.json`, and the points of the spool with how often each stands there.
 */
export async function leftBy(run: string): Promise<Left> {
  const epoch = (await checkpointEpochs(run)).at(-1);
  if (epoch === undefined) throw new Error(`${run} has no checkpoint`);
  const { state, seconds, history, ...rest } = await readCheckpoint(checkpointPath(run, epoch));
  const left: Record<string, string> = {
    'checkpoint: epoch, step, plugins': timeless(rest),
    'checkpoint: history': timeless(history),
    'metrics.jsonl': (await linesOf(join(run, 'metrics.jsonl'))).map(timeless).join('\n'),
    'summary.json': timeless(JSON.parse(await readFile(join(run, 'summary.json'), 'utf8'))),
  };
  for (const [name, { shape, values }] of Object.entries(state))
    left[`tensor ${name}`] =
      `${shape} ${Buffer.from(values.buffer, values.byteOffset, values.byteLength).toString('base64')}`;
  return { ...left, ...(await pointsOf(run)) };
}

const linesOf = async (file: string): Promise<unknown[]> =>
  (await readFile(file, 'utf8'))
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));

async function pointsOf(run: string): Promise<Record<string, string>> {
  const points = new Map<string, unknown[]>();
  for await (const { record } of readSpool(run)) {
    if (record?.type !== 'metrics') continue;
    for (const [key, value] of Object.entries(record.values)) {
      const point = `point ${key} at ${record.step}`;
      if (!isClock(key)) points.set(point, [...(points.get(point) ?? []), value]);
    }
  }
  return Object.fromEntries([...points].map(([point, values]) => [point, JSON.stringify(values)]));
}

/** Names of what differs between what two runs left. */
export const differences = (one: Left, other: Left): string[] =>
  [...new Set([...Object.keys(one), ...Object.keys(other)])].filter((name) => one[name] !== other[name]);
