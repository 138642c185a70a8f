import { readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, expect, test } from 'vitest';
import type { EpochMetrics } from '../../src/metrics/types.ts';
import {
  checkpointFolder,
  checkpointPath,
  readCheckpoint,
  readLatest,
  writeCheckpoint,
} from '../../src/tracking/checkpoint.ts';
import { HISTORY_BYTES } from '../../src/tracking/history.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { epochMetrics, evaluation, snapshotAfter } from '../support/tracked-run.ts';

/** Epochs of some 150 kB each: two are more than a checkpoint holds. */
const epochsOf = (count: number, value = 0.1): EpochMetrics[] =>
  Array.from({ length: count }, (_, i) => {
    const perClass = new Array<number>(7500).fill(value + Math.sqrt(i + 2) / 10);
    return epochMetrics(i + 1, { test: { ...evaluation(0.5), perClass, confusion: null } });
  });

const snapshotOf = (history: readonly EpochMetrics[]) => ({
  ...snapshotAfter(history.length),
  history: [...history],
});

let run: string;
const write = (history: readonly EpochMetrics[]) =>
  writeCheckpoint(checkpointPath(run, history.length), snapshotOf(history));
/** Whether a checkpoint has these epochs; they are too long for a failure to print. */
const holds = async (epoch: number, history: readonly EpochMetrics[]) =>
  JSON.stringify((await readCheckpoint(checkpointPath(run, epoch))).history) === JSON.stringify(history);
const parts = async () =>
  (await readdir(checkpointFolder(run))).filter((name) => name.startsWith('history-')).map(inFolder);
const inFolder = (name: string): string => join(checkpointFolder(run), name);
const messageOf = (promise: Promise<unknown>) =>
  promise.then(
    () => 'no error',
    (error: Error) => error.message.replaceAll(run, 'RUN').replace(/history-\w+/g, 'history-HASH'),
  );

const epochs = epochsOf(6);
beforeEach(async () => {
  run = await temporaryFolder();
  for (let count = 1; count <= epochs.length; count++) await write(epochs.slice(0, count));
});

test('a long history lies in files that are written once; checkpoints do not grow with the epochs', async () => {
  for (const [i] of epochs.entries()) expect(await holds(i + 1, epochs.slice(0, i + 1)), `epoch ${i + 1}`).toBe(true);
  expect(await parts()).toHaveLength(2);
  const sizes = await Promise.all(epochs.map(async (_, i) => (await stat(checkpointPath(run, i + 1))).size));
  expect(Math.max(...sizes)).toBeLessThan(HISTORY_BYTES + 175_000);
  expect(sizes[2]).toBeLessThan(sizes[1]! * 0.6);
});

test('a resumed run finds the files there, and one that goes back leaves those of its earlier checkpoints', async () => {
  const times = async () =>
    Object.fromEntries(await Promise.all((await parts()).map(async (path) => [path, (await stat(path)).mtimeMs])));
  const before = await times();
  const resumed = JSON.parse(JSON.stringify(epochs)) as EpochMetrics[];
  await write([...resumed, epochMetrics(7)]);
  expect(await times()).toMatchObject(before);

  const other = [...epochs.slice(0, 3), ...epochsOf(5, 0.2).slice(3)];
  await write(other);
  expect(await holds(5, other)).toBe(true);
  expect(await holds(6, epochs)).toBe(true);
  await write(epochs.slice(0, 2));
  expect(await holds(2, epochs.slice(0, 2))).toBe(true);
});

test('metrics.jsonl has what a file that is missing or changed had, and the next checkpoint puts it back', async () => {
  await writeFile(join(run, 'metrics.jsonl'), epochs.map((metrics) => `${JSON.stringify(metrics)}\n`).join(''));
  const [first, second] = await parts();
  const whole = await readFile(first!);
  await writeFile(first!, whole.subarray(1));
  await rm(second!);
  expect(await holds(6, epochs)).toBe(true);
  await rm(first!);
  await write(epochs.slice(0, 5));
  await rm(join(run, 'metrics.jsonl'));
  expect(await readFile(first!)).toEqual(whole);
  expect(await holds(6, epochs)).toBe(true);
});

test('without either the checkpoint before it is used, and its weights can be read', async () => {
  for (const path of await parts()) await rm(path);
  expect(await messageOf(readCheckpoint(checkpointPath(run, 6)))).toMatchInlineSnapshot(
    `"RUN/checkpoints/epoch-0006.safetensors: expected the metrics of its earlier epochs in checkpoints/history-HASH.jsonl, which is missing or changed, and metrics.jsonl does not have them. Put that file or metrics.jsonl back, or use an earlier checkpoint."`,
  );
  expect((await readLatest(run)).snapshot.epoch).toBe(2);
  const { state, history } = await readCheckpoint(checkpointPath(run, 6), { history: false });
  expect(state).toEqual(snapshotAfter(6).state);
  expect(history.map(({ epoch }) => epoch)).toEqual([5, 6]);
});
