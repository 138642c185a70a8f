import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import checkpoint, { epochsToDelete } from '../../plugins/checkpoint/index.ts';
import { compose } from '../../src/compose/compose.ts';
import type { EpochMetrics } from '../../src/metrics/types.ts';
import { bestCheckpointPath, checkpointFolder, readCheckpoint } from '../../src/tracking/checkpoint.ts';
import { smallInfo } from '../support/info.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { epochMetrics, evaluation, fakeRun, snapshotAfter } from '../support/tracked-run.ts';

/** Runs the plugin through epochs; returns the files it left and the checkpoints it told of. */
async function runThrough(
  metrics: readonly EpochMetrics[],
  options?: Parameters<typeof checkpoint>[0],
  changes: Parameters<typeof fakeRun>[1] = {},
) {
  const directory = await temporaryFolder();
  const info = smallInfo({ epochs: 10 });
  const { hooks, states } = compose([checkpoint(options)], info);
  const told: string[] = [];
  hooks.onCheckpoint.tap('checkpoint', ({ path, epoch }) => {
    told.push(`${epoch} ${path.slice(path.lastIndexOf('/') + 1)}`);
  });
  for (const epoch of metrics) {
    const run = fakeRun(directory, { info, snapshot: () => snapshotAfter(epoch.epoch), ...changes });
    await hooks.onEpochEnd.promise(epoch, run);
  }
  const files = await readdir(checkpointFolder(directory)).catch(() => []);
  return { directory, files: files.sort(), told, state: states.checkpoint! };
}

const epochs = (last: number): EpochMetrics[] => Array.from({ length: last }, (_, i) => epochMetrics(i + 1));

test('epochsToDelete leaves the newest, and none that the run was not resumed from though it was newer', () => {
  const run = { keep: 2, resumedFrom: 10, written: new Set<number>() };
  expect(epochsToDelete([3, 10, 9, 1], run)).toEqual([3, 1]);
  expect(epochsToDelete([1, 2], run)).toEqual([]);
  expect(epochsToDelete([], run)).toEqual([]);
  expect(epochsToDelete([5, 6, 10], { keep: 1, resumedFrom: 5, written: new Set([6]) })).toEqual([5, 10]);
  expect(epochsToDelete([5, 6, 10], { keep: 2, resumedFrom: 5, written: new Set([6]) })).toEqual([10]);
});

describe('the last epochs', () => {
  test('every epoch, the two newest kept', async () => {
    const { files, told } = await runThrough(epochs(4));
    expect(files).toEqual(['epoch-0003.safetensors', 'epoch-0004.safetensors']);
    expect(told).toHaveLength(4);
  });

  test('every n epochs, and the last of the run', async () => {
    const { files } = await runThrough(epochs(10), { every: 4, keep: 5 });
    expect(files).toEqual(['epoch-0004.safetensors', 'epoch-0008.safetensors', 'epoch-0010.safetensors']);
  });

  test('a run that was stopped keeps where it stopped', async () => {
    const { files } = await runThrough([epochMetrics(3)], { every: 4 }, { stopped: 'enough' });
    expect(files).toEqual(['epoch-0003.safetensors']);
  });

  test('hold the state of their epoch', async () => {
    const { directory, files } = await runThrough(epochs(2));
    const read = await Promise.all(files.map((file) => readCheckpoint(`${checkpointFolder(directory)}/${file}`)));
    expect(read.map(({ epoch }) => epoch)).toEqual([1, 2]);
  });

  test('are not written without a run directory', async () => {
    const { told } = await runThrough(epochs(2), {}, { directory: null });
    expect(told).toEqual([]);
  });
});

describe('the last good one', () => {
  const bad = (value: number) => ({
    ...snapshotAfter(2),
    state: { 'dense/kernel': { shape: [3], values: Float32Array.of(1, value, 2) } },
  });

  test.each([Number.NaN, Number.POSITIVE_INFINITY])('is not followed by a state that holds %d', async (value) => {
    const directory = await temporaryFolder();
    const info = smallInfo({ epochs: 10 });
    const { hooks } = compose([checkpoint({ keep: 1 })], info);
    const run = fakeRun(directory, { info, snapshot: () => snapshotAfter(1) });
    await hooks.onEpochEnd.promise(epochMetrics(1), run);
    const file = join(checkpointFolder(directory), 'epoch-0002.safetensors');
    await expect(hooks.onEpochEnd.promise(epochMetrics(2), { ...run, snapshot: () => bad(value) })).rejects.toThrow(
      `epoch 2: expected finite weights and optimizer state, got ${value} in dense/kernel (1 of 3 values). ${file} is not written; the checkpoint before is kept.`,
    );
    expect(await readdir(checkpointFolder(directory))).toEqual(['epoch-0001.safetensors']);
    expect((await readCheckpoint(join(checkpointFolder(directory), 'epoch-0001.safetensors'))).epoch).toBe(1);
  });

  test('stays where a run was resumed past a newer one that is damaged', async () => {
    const { directory } = await runThrough([epochMetrics(4), epochMetrics(8)], { every: 4 });
    await writeFile(join(checkpointFolder(directory), 'epoch-0008.safetensors'), 'cut');
    const info = smallInfo({ epochs: 10 });
    const { hooks } = compose([checkpoint({ keep: 1 })], info);
    const run = fakeRun(directory, { info, resumedFrom: 4, snapshot: () => snapshotAfter(5) });
    await hooks.onEpochEnd.promise(epochMetrics(5), run);
    expect(await readdir(checkpointFolder(directory))).toEqual(['epoch-0005.safetensors']);
  });
});

describe('the best epoch', () => {
  const metrics = [0.3, 0.5, 0.4, 0.5].map((balanced, i) =>
    epochMetrics(i + 1, { test: evaluation(0.9 - 0.1 * i, 0.1), validation: evaluation(0.2 + 0.1 * i, balanced) }),
  );

  test('by validation: the first of the highest balanced accuracy', async () => {
    const { directory, told } = await runThrough(metrics, { best: 'validation', every: 100 });
    expect(told).toEqual(['1 best-validation.safetensors', '2 best-validation.safetensors']);
    expect((await readCheckpoint(bestCheckpointPath(directory, 'validation'))).epoch).toBe(2);
  });

  test('by the test set only when asked, and named so', async () => {
    expect((await runThrough(metrics)).files.filter((file) => file.startsWith('best'))).toEqual([]);
    const { told } = await runThrough(metrics, { best: 'test', metric: 'accuracy', every: 100 });
    expect(told).toEqual(['1 best-on-test.safetensors']);
  });

  test('outlives a resume', async () => {
    const first = await runThrough(metrics.slice(0, 2), { best: 'validation', every: 100 });
    const { hooks, states } = compose([checkpoint({ best: 'validation', every: 100 })], smallInfo({ epochs: 10 }));
    states.checkpoint!.load(JSON.parse(JSON.stringify(first.state.save())));
    const directory = await temporaryFolder();
    await hooks.onEpochEnd.promise(metrics[3]!, fakeRun(directory, { info: smallInfo({ epochs: 10 }) }));
    await expect(readdir(checkpointFolder(directory))).rejects.toThrow('ENOENT');
  });

  test('the first evaluation is the best so far, also with an accuracy of 0', async () => {
    const { told } = await runThrough([epochMetrics(1, { validation: evaluation(0, 0) })], {
      best: 'validation',
      every: 100,
    });
    expect(told).toEqual(['1 best-validation.safetensors']);
  });

  test('epochs without an evaluation do not count', async () => {
    const { told } = await runThrough([epochMetrics(1, { test: null })], { best: 'test', every: 100 });
    expect(told).toEqual([]);
  });

  test('needs a validation split', async () => {
    const without = smallInfo({ validationCount: 0 });
    expect(() => compose([checkpoint({ best: 'validation' })], without)).toThrowErrorMatchingInlineSnapshot(
      `[TailmixError: checkpoint.best: expected a validation split for \`best: validation\`, got none. Set data.split.validation, or \`best: none\`.]`,
    );
    for (const best of ['test', 'none'] as const) expect(() => compose([checkpoint({ best })], without)).not.toThrow();
  });
});
