import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import mixup from '../../plugins/mixup/index.ts';
import { definePlugin } from '../../src/plugin.ts';
import { planRun } from '../../src/train/plan-run.ts';
import { createTrainer, type TrainerOptions } from '../../src/train/trainer.ts';
import { messageOfError } from '../support/message.ts';
import { crt, watcher } from './phases-support.ts';

test('the plan has a part for each phase', async () => {
  const { plugin } = watcher('all', 'run');
  const { plan, brief, phases } = await planRun({ ...crt({ plugins: [mixup(), plugin] }), name: 'crt' });
  expect(phases.map(({ name }) => name)).toEqual(['erm', 'crt']);
  expect(plan).toMatchInlineSnapshot(`
    "run                     crt, seed 0
    data                    squares: 35 images, 4 classes, ratio 10
    class counts            20 9 4 2
    augment                 flip (probability 0.5)
    phases                  erm (3 epochs) → crt (2 epochs)
    onTrainBegin            all(0)
    onEpochBegin            all(0)
    onEpochEnd              all(0)
    onTrainEnd              all(0)
    onBatchEnd              all(0)

    phase 1 of 2            erm
    steps                   3 epochs × 3 steps of 16
    parameters              406, all trained
    state                   3.3 kB: weights 1.7 kB, optimizer and plugins 1.6 kB

    onEpochBegin            all(0)
    onEpochEnd              all(0)
    onBatch                 mixup(-100)
    onBatchEnd              all(0)

    provides                mix: mixup
    variants                mix: input

    phase 2 of 2            crt
    starts from             phase "erm"; classifier reinitialized
    frozen                  backbone; batch norms by their averages, which stay
    steps                   2 epochs × 5 steps of 8
    parameters              406, 36 trained
    state                   1.8 kB: weights 1.7 kB, optimizer and plugins 144 B

    onEpochBegin            all(0)
    onEpochEnd              all(0)
    computeSamplingWeights  resample(-200)
    computeLearningRate     lr-schedule(0)
    onBatchEnd              all(0)

    provides                sampler: resample  learning-rate: lr-schedule
    "
  `);
  expect(brief).toMatchInlineSnapshot(`
    "run                     crt, seed 0
    data                    squares: 35 images, 4 classes, ratio 10
    class counts            20 9 4 2
    augment                 flip (probability 0.5)

    phase 1 of 2            erm
    steps                   3 epochs × 3 steps of 16
    plugins                 mixup

    phase 2 of 2            crt
    starts from             phase "erm"; classifier reinitialized
    frozen                  backbone; batch norms by their averages, which stay
    steps                   2 epochs × 5 steps of 8
    plugins                 resample, lr-schedule"
  `);
});

describe('refuses', () => {
  const messageOf = (options: TrainerOptions) => messageOfError(() => createTrainer(options).run());
  const spanning = watcher('all', 'run').plugin;
  const extending = definePlugin({
    name: 'extending',
    options: z.strictObject({}),
    extendModel: (base) => ({
      ...base,
      weights: [...base.weights, { name: 'extending/x', shape: [1], kind: 'bias', initial: () => new Float32Array(1) }],
    }),
    apply() {},
  });
  const deciding = definePlugin({
    name: 'deciding',
    options: z.strictObject({}),
    spans: 'run',
    apply: ({ hooks }) => void hooks.computeLearningRate.tap('deciding', (rate) => rate),
  });

  test.each<[string, TrainerOptions]>([
    ['two phases of one name', crt({ phases: [{ name: 'phase 2' }, {}] })],
    ['a plugin that spans the run in a phase', crt({ phases: [{}, { plugins: [spanning] }] })],
    ['a plugin that spans the run and decides', crt({ plugins: [deciding()], phases: [{}, {}] })],
    ['a reset with nothing to start from', crt({ phases: [{ model: { reset: ['classifier'] } }] })],
    ['weights that are none', crt({ phases: [{}, { model: { freeze: ['head'] } }] })],
    ['a model that cannot go on from the one before', crt({ phases: [{ plugins: [extending()] }, { plugins: [] }] })],
  ])('%s', async (_, options) => {
    expect(await messageOf(options)).toMatchSnapshot();
  });
});
