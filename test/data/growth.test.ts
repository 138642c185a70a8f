import { expect, test } from 'vitest';
import { openAugment, type Shape } from '../../src/data/transforms/augment.ts';
import type { TransformOptions } from '../../src/data/transforms/options.ts';
import { transformOptions } from '../../src/data/transforms/options.ts';
import type { Snapshot } from '../../src/run.ts';
import { createTrainer, type TrainerOptions } from '../../src/train/trainer.ts';
import { squares, tinyModel } from '../support/squares.ts';
import { watcher } from '../train/phases-support.ts';
import { digest, inMemory, make, splitOf } from './loader/support.ts';

const shape: Shape = [24, 24, 3];
const image = Uint8Array.from({ length: 24 * 24 * 3 }, (_, i) => (i * 37 + (i >> 4) * 11) % 256);

/** Crops of LIFT+: square, the smallest share along a curve. */
const crop = (options: object): TransformOptions =>
  transformOptions.parse({ name: 'random-resized-crop', ratio: [1, 1], ...options });

function augmented(transform: TransformOptions, epoch: number, epochs?: number): string[] {
  const apply = openAugment([transform], shape, 5, epoch, { epochs });
  return Array.from({ length: 40 }, (_, position) => {
    const out = new Uint8Array(image.length);
    apply(image, 0, out, 0, position);
    return out.join();
  });
}

// get_min_scale of LIFT+'s utils/transforms.py, with num_epochs = 5 and iter = 2: t = 0.5.
test.each([
  ['linear', 0.5],
  ['convex', 0.1339745962155614],
  ['concave', 0.8660254037844386],
])('%s: half way, the smallest share has risen by %d of the range', (growth, s) => {
  expect(augmented(crop({ growth }), 3, 5)).toEqual(augmented(crop({ scale: [0.08 + s * 0.92, 1] }), 3));
  expect(augmented(crop({ growth }), 1, 5)).toEqual(augmented(crop({}), 1));
  expect(augmented(crop({ growth }), 3, 5)).not.toEqual(augmented(crop({}), 3, 5));
});

test('in the last epoch the whole image is left; a run of one epoch begins as all do', () => {
  expect(new Set(augmented(crop({ growth: 'convex' }), 5, 5))).toEqual(new Set([image.join()]));
  expect(augmented(crop({ growth: 'convex' }), 1, 1)).toEqual(augmented(crop({}), 1));
});

test('worker threads know how long the run is', async () => {
  const split = splitOf(inMemory());
  const options = { augment: [crop({ growth: 'convex' })], epochs: 4 };
  const alone = await digest(make({ ...options, workers: 0 }), split, 3);
  expect(await digest(make({ ...options, workers: 2 }), split, 3)).toBe(alone);
  expect(await digest(make({ ...options, epochs: 9, workers: 2 }), split, 3)).not.toBe(alone);
});

test('over phases the epochs of the whole run count, and a resumed run has the same crops', async () => {
  const run = async (options: Partial<TrainerOptions>) => {
    const { plugin, snapshots } = watcher('kept', 'run');
    const { epochs } = await createTrainer({
      data: { ...squares(), augment: [crop({ growth: 'linear' })] },
      model: tinyModel(),
      train: { epochs: 4, batchSize: 8, step: 'eager', optimizer: { name: 'sgd', learningRate: 0.01, momentum: 0 } },
      plugins: [plugin],
      ...options,
    }).run();
    return { losses: epochs.map(({ train }) => train.loss), snapshots };
  };
  const whole = await run({});
  const halves = await run({
    phases: [
      { name: 'a', epochs: 2 },
      { name: 'b', epochs: 2 },
    ],
  });
  expect(halves.losses).toEqual(whole.losses);
  const other = await run({ data: { ...squares(), augment: [crop({})] } });
  expect(other.losses[0]).toBe(whole.losses[0]);
  expect(other.losses[3]).not.toBe(whole.losses[3]);
  const resumed = await run({ resume: whole.snapshots[1] as Snapshot });
  expect(resumed.losses).toEqual(whole.losses);
});
