import { expect, test } from 'vitest';
import { z } from 'zod';
import { definePlugin, type Plugin } from '../../src/plugin.ts';
import type { Snapshot } from '../../src/run.ts';
import type { Loss } from '../../src/step/types.ts';
import { createTrainer, type TrainerOptions } from '../../src/train/trainer.ts';
import { squares, tinyModel } from '../support/squares.ts';

/** Tells of a phase, or of the run, to `heard`. */
const listener = (name: string, spans: 'phase' | 'run', heard: string[]): Plugin =>
  definePlugin({
    name,
    options: z.strictObject({}),
    spans,
    apply({ hooks }) {
      hooks.onTrainBegin.tap(name, () => void heard.push(`${name} begins`));
      hooks.onTrainEnd.tap(name, () => void heard.push(`${name} ends`));
      hooks.onError.tap(name, (error) => void heard.push(`${name}: ${error.message}`));
    },
  })();

const tapped = (apply: Parameters<typeof definePlugin>[0]['apply']): Plugin =>
  definePlugin({ name: 'tapped', options: z.strictObject({}), apply })();

/** Two phases of two epochs and one. */
const twoPhases = (heard: string[], more: { first?: Plugin[]; second?: Plugin[] } = {}): TrainerOptions => ({
  data: squares([4, 2, 1, 1]),
  model: tinyModel(),
  train: { epochs: 2, batchSize: 8, step: 'eager' },
  plugins: [listener('run', 'run', heard)],
  phases: [
    { name: 'first', plugins: [listener('first', 'phase', heard), ...(more.first ?? [])] },
    { name: 'second', epochs: 1, plugins: [listener('second', 'phase', heard), ...(more.second ?? [])] },
  ],
});

test('a run resumed where a phase ended opens the next one only', async () => {
  const snapshots: Snapshot[] = [];
  const keeping = tapped(({ hooks }) =>
    hooks.onEpochEnd.tap('tapped', (_, run) => void snapshots.push(structuredClone(run.snapshot()))),
  );
  const heard: string[] = [];
  await createTrainer(twoPhases(heard, { first: [keeping] })).run();
  expect(heard).toEqual(['first begins', 'run begins', 'first ends', 'second begins', 'second ends', 'run ends']);
  const resumed: string[] = [];
  await createTrainer({ ...twoPhases(resumed), resume: snapshots[1]! }).run();
  expect(resumed).toEqual(['second begins', 'run begins', 'second ends', 'run ends']);
  const within: string[] = [];
  await createTrainer({ ...twoPhases(within), resume: snapshots[0]! }).run();
  expect(within.slice(0, 2)).toEqual(['first begins', 'run begins']);
});

test('a run that is stopped in a phase ends with it', async () => {
  const heard: string[] = [];
  const stopping = tapped(({ hooks }) => hooks.onEpochBegin.tap('tapped', (_, run) => run.stop('enough')));
  const { summary } = await createTrainer(twoPhases(heard, { first: [stopping] })).run();
  expect(summary).toMatchObject({ status: 'stopped', lastEpoch: 1 });
  expect(heard).toEqual(['first begins', 'run begins', 'first ends', 'run ends']);
});

test('a later phase that cannot be opened fails the run, as its observers see', async () => {
  const heard: string[] = [];
  const failing = tapped(({ hooks }) =>
    hooks.buildLoss.tap('tapped', (): Loss => {
      throw new Error('no loss');
    }),
  );
  await expect(createTrainer(twoPhases(heard, { second: [failing] })).run()).rejects.toThrow('no loss');
  expect(heard.slice(2)).toEqual([
    'first ends',
    expect.stringMatching(/^second: .*no loss/),
    expect.stringMatching(/^run: .*no loss/),
  ]);
});

test('a run that a signal ends says why', async () => {
  const ending = new AbortController();
  const aborting = tapped(({ hooks }) => hooks.onBatchEnd.tap('tapped', () => ending.abort('SIGINT')));
  const { summary, snapshot } = await createTrainer({
    ...twoPhases([], { first: [aborting] }),
    signal: ending.signal,
  }).run();
  expect(summary).toMatchObject({ status: 'stopped', reason: 'SIGINT' });
  expect(snapshot).toBeNull();
});
