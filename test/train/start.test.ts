import { copyFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { z } from 'zod';
import { definePlugin } from '../../src/plugin.ts';
import type { Snapshot } from '../../src/run.ts';
import { writeCheckpoint } from '../../src/tracking/checkpoint.ts';
import { pinInit } from '../../src/tracking/pinned-init.ts';
import { planRun } from '../../src/train/plan-run.ts';
import { prepare, readData, type TrainerOptions } from '../../src/train/prepare.ts';
import { createTrainer } from '../../src/train/trainer.ts';
import { writeTree } from '../support/image-tree.ts';
import { messageOfError } from '../support/message.ts';
import { squares } from '../support/squares.ts';
import { temporaryFolder } from '../support/temporary.ts';

const options = (init?: { run: string; sha256: string } | string): TrainerOptions => ({
  data: squares([4, 2, 1, 1]),
  model: { name: 'small-cnn', width: 2, ...(init !== undefined && { init }) },
});

test('weights begin as in the checkpoint that model.init names, which is the one that was meant', async () => {
  const { snapshot } = await createTrainer({ ...options(), train: { epochs: 1, batchSize: 8, step: 'eager' } }).run();
  const run = join(await temporaryFolder(), 'epoch-0001.safetensors');
  await writeCheckpoint(run, snapshot!);
  const expected = Object.fromEntries(snapshot!.weights.map((name) => [name, snapshot!.state[name]!.values]));
  const { sha256 } = await pinInit(run);
  for (const init of [run, { run, sha256 }]) expect((await prepare(options(init))).start.initial).toEqual(expected);
  expect(await messageOfError(() => prepare(options({ run, sha256: '0'.repeat(64) })))).toMatch(sha256.slice(0, 12));
});

test('with the backbone of another run frozen, groups name what is left: the classifier; others are refused', async () => {
  const { snapshot: init } = await createTrainer({
    ...options(),
    train: { epochs: 1, batchSize: 8, step: 'eager' },
  }).run();
  const tuned = async (optimizer: object) => {
    const { snapshot } = await createTrainer({
      ...options(),
      start: { init: init!, freeze: ['backbone'], frozenNorm: 'running' },
      train: { epochs: 2, batchSize: 8, step: 'eager', optimizer: { name: 'sgd', weightDecay: 0.1, ...optimizer } },
    }).run();
    return Object.fromEntries(snapshot!.weights.map((name) => [name, snapshot!.state[name]!.values]));
  };
  const own = { match: 'classifier', learningRate: 0.01, weightDecay: 0 };
  const grouped = await tuned({ learningRate: 0.1, groups: [own] });
  const alone = await tuned({ learningRate: 0.01, weightDecay: 0 });
  for (const [name, values] of Object.entries(grouped)) {
    if (!name.startsWith('classifier/')) expect(values, name).toEqual(init!.state[name]!.values);
    else {
      expect(values, name).not.toEqual(init!.state[name]!.values);
      values.forEach((value, i) => void expect(value, name).toBeCloseTo(alone[name]![i]!, 6));
    }
  }
  for (const match of ['backbone', 'stage*'])
    expect(await messageOfError(() => tuned({ learningRate: 0.1, groups: [{ ...own, match }] }))).toContain(
      `expected trained weights that are in no group before it; "${match}" names`,
    );
});

test('a resumed run does not read the published weights that it began with, in whichever phase it is', async () => {
  const file = join(await temporaryFolder(), 'resnet18.safetensors');
  await copyFile('test/models/published/resnet18.safetensors', file);
  const snapshots: Snapshot[] = [];
  const keeping = definePlugin({
    name: 'keeping',
    options: z.strictObject({}),
    spans: 'run',
    apply: ({ hooks }) =>
      hooks.onEpochEnd.tap('keeping', (_, { snapshot }) => void snapshots.push(structuredClone(snapshot()))),
  })();
  const run: TrainerOptions = {
    data: squares([2, 2, 1, 1], 32),
    model: { name: 'resnet18', width: 2, weights: file, freeze: ['backbone'] },
    train: { batchSize: 6, step: 'eager' },
    plugins: [keeping],
    phases: [{ epochs: 1 }, { epochs: 2 }],
  };
  await createTrainer(run).run();
  const [inFirst, inSecond] = snapshots as [Snapshot, Snapshot, Snapshot];
  const { phases: _, ...alone } = run;
  const goOn = async () => {
    expect((await createTrainer({ ...run, resume: inSecond }).run()).snapshot!.state).toEqual(snapshots[2]!.state);
    for (const resume of [inFirst, inSecond]) {
      const { phases } = await planRun({ ...run, resume });
      expect(phases.map(({ info }) => info.start.init)).toEqual([file, 'phase "phase 1"']);
    }
    expect((await prepare({ ...alone, resume: inFirst })).start.initial).toEqual({});
  };
  await writeFile(file, 'damaged');
  await goOn();
  await rm(file);
  await goOn();
});

test('reading images is reported, and ends in between when the run is asked to end', async () => {
  vi.stubEnv('TAILMIX_CACHE', await temporaryFolder());
  const root = await temporaryFolder();
  await writeTree(root, { train: { a: 3, b: 2 }, test: { a: 1, b: 1 } });
  const reading: TrainerOptions = {
    data: { name: 'image-folder', root, imageSize: 4, workers: 0 },
    model: { name: 'mlp' },
  };
  const seen: string[] = [];
  const ending = new AbortController();
  const stopped = messageOfError(() =>
    readData({
      ...reading,
      signal: ending.signal,
      onDataProgress({ split, done, total }) {
        seen.push(`${split} ${done} of ${total}`);
        ending.abort('SIGINT');
      },
    }),
  );
  expect(await stopped).toBe('SIGINT: the run ended while its images were read, before its first step.');
  expect(seen).toHaveLength(1);
  expect((await readData(reading)).train.indices).toHaveLength(5);
  vi.unstubAllEnvs();
});
