import { expect, test } from 'vitest';
import { z } from 'zod';
import checkpoint from '../../plugins/checkpoint/index.ts';
import curriculumAugmentation, { nextLevel } from '../../plugins/curriculum-augmentation/index.ts';
import mixup from '../../plugins/mixup/index.ts';
import { compose } from '../../src/compose/compose.ts';
import { definePlugin } from '../../src/plugin.ts';
import { checkpointPath, readCheckpoint } from '../../src/tracking/checkpoint.ts';
import type { TrainerOptions } from '../../src/train/trainer.ts';
import { smallInfo } from '../support/info.ts';
import { smallRun } from '../support/small-run.ts';
import { squares } from '../support/squares.ts';
import { temporaryFolder } from '../support/temporary.ts';

test('a level up above the share, else down, within 0 and the highest; a class that was not seen stays', () => {
  const options = { levels: 3, accept: 0.6 };
  const next = (level: number, correct: number, seen: number) => nextLevel(level, { correct, seen }, options);
  expect([next(0, 7, 10), next(2, 7, 10), next(3, 10, 10)]).toEqual([1, 3, 3]);
  // 6 of 10 is not above 0.6.
  expect([next(2, 6, 10), next(0, 0, 10), next(2, 0, 0)]).toEqual([1, 0, 2]);
});

const augment = [{ name: 'rand-augment', operations: 4, magnitude: 20 }] as const;

async function train(plugins: TrainerOptions['plugins'] & object, changes: Partial<TrainerOptions> = {}) {
  const strengths: number[][] = [];
  const listener = definePlugin({
    name: 'listener',
    options: z.strictObject({}),
    apply({ hooks }) {
      hooks.computeAugmentation.tap('listener', (strength, { rehearsal }) => {
        if (!rehearsal) strengths.push([...strength]);
        return strength;
      });
    },
  });
  const { snapshot, state, epochs } = await smallRun({
    data: { ...squares([10, 5, 3, 2]), augment: [...augment] },
    train: { epochs: 6, batchSize: 8, step: 'eager', optimizer: { name: 'sgd', learningRate: 0.05 } },
    ...changes,
    plugins: [...plugins, listener()],
  });
  return { strengths, state, losses: epochs.map((epoch) => epoch.train.loss), saved: snapshot.plugins };
}

const plugin = () => curriculumAugmentation({ levels: 4, accept: 0.5 });

test('begins with nothing, changes by a level an epoch, and resumes to the bit', async () => {
  const directory = await temporaryFolder();
  const whole = await train([plugin(), checkpoint({ every: 1, keep: 9 })], { directory });
  expect(whole.strengths[0]).toEqual([0, 0, 0, 0]);
  for (const [i, strength] of whole.strengths.entries())
    for (const [c, value] of strength.entries())
      if (i > 0) expect([-0.25, 0, 0.25]).toContain(value - whole.strengths[i - 1]![c]!);
  expect(new Set(whole.strengths.flat()).size).toBeGreaterThan(1);
  const resume = await readCheckpoint(checkpointPath(directory, 3));
  const rest = await train([plugin()], { resume });
  expect(rest.strengths).toEqual(whole.strengths.slice(3));
  expect(rest.state).toEqual(whole.state);
});

test('a strength of 0 is no augmentation, of 1 the whole of it; captured is eager', async () => {
  const none = await train([], { data: { ...squares([10, 5, 3, 2]), augment: [] } });
  const still = definePlugin({
    name: 'still',
    options: z.strictObject({ to: z.number() }),
    apply: ({ hooks }, { to }) => void hooks.computeAugmentation.tap('still', (strength) => strength.fill(to)),
  });
  expect((await train([still({ to: 0 })])).losses).toEqual(none.losses);
  expect((await train([still({ to: 1 })])).losses).toEqual((await train([])).losses);
  expect((await train([])).losses).not.toEqual(none.losses);
  const captured = await train([plugin()], {
    train: { epochs: 6, batchSize: 8, optimizer: { name: 'sgd', learningRate: 0.05 } },
  });
  expect(captured.strengths).toEqual((await train([plugin()])).strengths);
});

test('where every image is mixed, none is seen', async () => {
  const { saved } = await train([mixup({ alpha: 1 }), plugin()]);
  expect(saved['curriculum-augmentation']).toEqual({ levels: [0, 0, 0, 0] });
});

test('without a transform that has a strength it is warned of', () => {
  expect(compose([plugin()], smallInfo({ augment: [] })).warnings).toEqual([
    {
      code: 'NO_EFFECT',
      plugin: 'curriculum-augmentation',
      message:
        'changes the strength of the augmentation, and no transform of data.augment has one (rand-augment, auto-augment, color-jitter, pca-lighting, cutout).',
    },
  ]);
});
