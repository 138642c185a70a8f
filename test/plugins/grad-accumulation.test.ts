import { beforeAll, expect, test } from 'vitest';
import drw from '../../plugins/drw/index.ts';
import ema from '../../plugins/ema/index.ts';
import gradAccumulation, { endsGroup } from '../../plugins/grad-accumulation/index.ts';
import gradClip from '../../plugins/grad-clip/index.ts';
import sam from '../../plugins/sam/index.ts';
import { loadBackend } from '../../src/backend/load.ts';
import type { Plugin } from '../../src/plugin.ts';
import type { Snapshot } from '../../src/run.ts';
import { createTrainer } from '../../src/train/trainer.ts';
import { describeBackends } from '../backend/kernels/support.ts';
import reference from '../reference/optimisation.json' with { type: 'json' };
import { relativeDistance } from '../step/captured-support.ts';
import { infoWithCounts, warningsOf } from '../support/plugins.ts';
import { squares, tinyModel } from '../support/squares.ts';
import { describeCaptured, runEager, type State } from '../support/update-steps.ts';

beforeAll(async () => {
  await loadBackend();
});

describeBackends('steps as in PyTorch (test/reference/optimisation.py)', (use) => {
  beforeAll(use);

  test.each(reference.accumulated)(
    'a group of 6, 6 and 6 is a batch of 18, of 6 and 3 one of 9: $reduction, clipped at $clip',
    ({ reduction, clip, state }) => {
      const clips = clip === null ? [] : [gradClip({ limit: clip })];
      for (const plugins of [
        [...clips, gradAccumulation({ steps: 3 })],
        [gradAccumulation({ steps: 3 }), ...clips],
      ]) {
        const result = runEager(plugins, { centred: false, reduction: reduction as 'mean', steps: 5, lastSize: 3 });
        expect(relativeDistance(result.state, state)).toBeLessThan(2e-6);
      }
    },
  );
});

describeCaptured({
  'three steps to an update': () => [gradAccumulation({ steps: 3 })],
  'with all that wraps the update': () => [
    sam({ rho: 0.3 }),
    ema({ decay: 0.7 }),
    gradClip({ limit: 0.2 }),
    gradAccumulation(),
  ],
});

test('every third step ends a group, and the last of the epoch', () => {
  const ends = [1, 2, 3, 4, 5, 6, 7].filter((stepInEpoch) => endsGroup({ stepInEpoch }, 3, 7));
  expect(ends).toEqual([3, 6, 7]);
});

test('between updates nothing but the sums changes, to the bit; after one they are zero', () => {
  const { states } = runEager([ema(), gradAccumulation({ steps: 3 })], { centred: false, steps: 4 });
  const sums = (state: State) => Object.entries(state).filter(([name]) => name.startsWith('grad-accumulation/'));
  const others = (state: State) => Object.entries(state).filter(([name]) => !name.startsWith('grad-accumulation/'));
  expect(others(states[1]!)).toEqual(others(states[0]!));
  expect(others(states[2]!)).not.toEqual(others(states[1]!));
  // Weights of 0.5, 1 and 2: six of the first class in step 1, two of each in step 2.
  expect(states[0]!['grad-accumulation/normalizer']![0]).toBeCloseTo(3, 6);
  expect(states[1]!['grad-accumulation/normalizer']![0]).toBeCloseTo(10, 6);
  for (const [name, values] of [...sums(states[2]!), ...sums(states[3]!)]) {
    expect(
      Array.from(values).every((value) => value === 0),
      name,
    ).toBe(true);
  }
});

test('a run with all that wraps the update, three steps to an update, is resumed exactly', async () => {
  const snapshots: Snapshot[] = [];
  const run = (resume?: Snapshot) =>
    createTrainer({
      data: squares([10, 3, 2, 1]),
      model: tinyModel(),
      plugins: [
        sam(),
        ema({ decay: 0.9 }),
        gradClip(),
        gradAccumulation({ steps: 3 }),
        drw({ deferUntil: 1 }),
        {
          definition: {
            name: 'observer',
            options: drw.definition.options,
            apply: ({ hooks }) =>
              hooks.onEpochEnd.tap(
                'observer',
                (_, running) => void snapshots.push(structuredClone(running.snapshot())),
              ),
          },
          options: {},
        } as Plugin,
      ],
      train: { epochs: 3, batchSize: 4 },
      ...(resume ? { resume } : {}),
    }).run();
  const whole = await run();
  const resumed = await run(snapshots[0]);
  expect(resumed.snapshot!.state).toEqual(whole.snapshot!.state);
  expect(resumed.summary.last).toEqual(whole.summary.last);
});

test('one step to an update and groups longer than an epoch are warned of', () => {
  const info = infoWithCounts([10, 6], { stepsPerEpoch: 3 });
  expect(warningsOf([gradAccumulation({ steps: 1 })], info)).toEqual([
    'NO_EFFECT [grad-accumulation] steps is 1: every step updates, as without the plugin.',
  ]);
  expect(warningsOf([gradAccumulation({ steps: 3 })], info)).toEqual([]);
  expect(warningsOf([gradAccumulation({ steps: 4 })], info)).toEqual([
    'NOT_INTENDED [grad-accumulation] steps 4 is more than an epoch has, 3: there is one update an epoch.',
  ]);
});
