import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { loadBackend } from '../../src/backend/load.ts';
import type { Snapshot } from '../../src/run.ts';
import { checkpointPath, readCheckpoint, writeCheckpoint } from '../../src/tracking/checkpoint.ts';
import { createTrainer, type TrainerOptions } from '../../src/train/trainer.ts';
import { squares, tinyModel } from '../support/squares.ts';

const options: TrainerOptions = {
  data: squares([4, 2, 1, 1]),
  model: tinyModel(),
  train: { epochs: 2, batchSize: 8, step: 'eager' },
};

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'tailmix-computed-'));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

/** Warnings of a run that goes on from a checkpoint that says so. */
async function warningsOf(resume: Snapshot): Promise<string[]> {
  const warned = vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
  await createTrainer({ ...options, resume }).run();
  const told = warned.mock.calls.filter(([, given]) => (given as { code?: string })?.code === 'COMPUTED_OTHERWISE');
  warned.mockRestore();
  return told.map(([text]) => String(text));
}

test('a checkpoint holds what computed it, and a resume with another arithmetic says so', async () => {
  const { snapshot } = await createTrainer({ ...options, train: { ...options.train, epochs: 1 } }).run();
  const path = checkpointPath(directory, 1);
  await writeCheckpoint(path, snapshot!);
  const read = await readCheckpoint(path);
  const { name, threads } = await loadBackend();
  expect(read.computedBy).toEqual(snapshot!.computedBy);
  expect(read.computedBy).toMatchObject({ backend: name, threads: String(threads), step: 'eager', precision: 'fp32' });
  if (name === 'native') expect(read.computedBy!['custom ops']).toMatch(/^none$|^[\da-f]{12}-(avx512|avx2|neon)$/);

  expect(await warningsOf(read)).toEqual([]);
  const { computedBy: _, ...silent } = read;
  expect(await warningsOf(silent)).toEqual([]);
  const own = read.computedBy!;
  const other = { ...own, 'custom ops': '000000000000-avx2', threads: '77', device: 'cuda, a GPU' };
  expect(await warningsOf({ ...read, computedBy: other })).toEqual([
    `resume: the checkpoint was computed with custom ops 000000000000-avx2, now ${own['custom ops'] ?? 'none'}; threads 77, now ${threads}; device cuda, a GPU, now none.\n  The run goes on, and its numbers differ by rounding from those of one that nobody interrupted.`,
  ]);
});
