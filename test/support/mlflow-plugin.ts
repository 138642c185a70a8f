import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, onTestFinished, vi } from 'vitest';
import mlflow from '../../plugins/mlflow/index.ts';
import { compose } from '../../src/compose/compose.ts';
import type { Run } from '../../src/run.ts';
import type { BatchResult } from '../../src/step/types.ts';
import { checkpointPath } from '../../src/tracking/checkpoint.ts';
import { readSpool } from '../../src/tracking/spool/read.ts';
import { type FakeMlflow, startFakeMlflow } from './fake-mlflow.ts';
import { smallInfo } from './info.ts';
import { epochMetrics, fakeRun } from './tracked-run.ts';

type Options = NonNullable<Parameters<typeof mlflow>[0]>;

/** What the tests of a file tell on standard error, each for itself. */
export function hearing(): () => string {
  let told = '';
  beforeEach(() => {
    told = '';
    vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
      told += String(text);
      return true;
    });
  });
  afterEach(() => void vi.restoreAllMocks());
  return () => told;
}

/** Hooks of a run with the plugin alone. */
export const hooksOf = (options: Options = {}) => compose([mlflow(options)], smallInfo()).hooks;

/** A server that goes with the test. */
export async function server(): Promise<FakeMlflow> {
  const fake = await startFakeMlflow();
  onTestFinished(() => fake.stop());
  return fake;
}

/** The run of a server that has one. */
export const onlyRun = ({ store }: FakeMlflow) => {
  expect(store.runs.size).toBe(1);
  return [...store.runs.values()][0]!;
};

/** What a training step came to. */
export const step = (number: number, changes: Partial<BatchResult> = {}): BatchResult =>
  ({
    epoch: 1,
    step: number,
    stepInEpoch: number,
    batch: { size: 4 },
    learningRate: 0.1,
    loss: number,
    penalties: { sam: 2 * number },
    ...changes,
  }) as BatchResult;

/** What happens in a run. */
export interface Trained {
  run?: Partial<Run>;
  options?: Options;
  epochs?: number[];
  error?: Error;
  atEpoch?: (epoch: number) => Promise<void>;
  writesCheckpoints?: boolean;
}

/** Tells the plugin of a run. */
export async function train(
  directory: string,
  { run: changes = {}, options = {}, epochs = [1, 2], error, atEpoch, writesCheckpoints }: Trained = {},
) {
  const run = fakeRun(directory, changes);
  const hooks = hooksOf({ every: 1, ...options });
  if (!existsSync(join(directory, 'config.yaml'))) await writeFile(join(directory, 'config.yaml'), 'name: small\n');
  await hooks.onTrainBegin.promise(run);
  for (const epoch of epochs) {
    await hooks.onEpochBegin.promise(epoch, run);
    for (const n of [1, 2, 3]) hooks.onBatchEnd.call(step(3 * (epoch - 1) + n));
    await hooks.onEpochEnd.promise(epochMetrics(epoch), run);
    if (writesCheckpoints) {
      const path = checkpointPath(directory, epoch);
      await mkdir(dirname(path), { recursive: true });
      await writeFile(path, `weights of epoch ${epoch}`);
      await hooks.onCheckpoint.promise({ path, epoch, step: 3 * epoch }, run);
    }
    await atEpoch?.(epoch);
  }
  if (error) await hooks.onError.promise(error, run);
  else await hooks.onTrainEnd.promise(run.summary(), run);
}

/** Lines of a run's spool. */
export async function linesOf(directory: string) {
  const lines = [];
  for await (const { record } of readSpool(directory)) lines.push(record!);
  return lines;
}

/** Steps of a metric, as a server has them. */
export const stepsOf = ({ points }: { points: { key: string; step: number }[] }, key: string) =>
  points.filter((point) => point.key === key).map((point) => point.step);
