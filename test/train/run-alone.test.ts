import { existsSync } from 'node:fs';
import { expect, test } from 'vitest';
import { z } from 'zod';
import mixup from '../../plugins/mixup/index.ts';
import remix from '../../plugins/remix/index.ts';
import { TailmixError } from '../../src/errors.ts';
import { definePlugin, type Plugin } from '../../src/plugin.ts';
import type { Snapshot } from '../../src/run.ts';
import { tf } from '../../src/tf.ts';
import { ownerFile } from '../../src/tracking/ownership.ts';
import { createTrainer, type TrainerOptions } from '../../src/train/trainer.ts';
import { squares, tinyModel } from '../support/squares.ts';
import { temporaryFolder } from '../support/temporary.ts';

const data = squares([4, 2, 1, 1]);

const train = (changes: Partial<TrainerOptions> = {}) =>
  createTrainer({ data, model: tinyModel(), train: { epochs: 2, batchSize: 4, step: 'eager' }, ...changes }).run();

const observer = (apply: Parameters<typeof definePlugin>[0]['apply'], spans: 'phase' | 'run' = 'phase'): Plugin =>
  definePlugin({ name: 'observer', options: z.strictObject({}), spans, apply })();

test('a run owns its directory as long as it takes', async () => {
  const directory = await temporaryFolder();
  const owned: boolean[] = [];
  await train({
    directory,
    plugins: [
      observer(({ hooks }) =>
        hooks.onEpochEnd.tap('observer', () => void owned.push(existsSync(ownerFile(directory)))),
      ),
    ],
  });
  expect([...owned, existsSync(ownerFile(directory))]).toEqual([true, true, false]);
});

test('a run that has lost its directory calls no observer, since it would write there', async () => {
  const lost = new TailmixError('lost', { code: 'DIRECTORY_LOST' });
  const told: string[] = [];
  const running = train({
    directory: await temporaryFolder(),
    ownership: {
      confirm: async () => {
        throw lost;
      },
      release: async () => {},
    } as unknown as TrainerOptions['ownership'] & object,
    plugins: [observer(({ hooks }) => hooks.onError.tap('observer', ({ message }) => void told.push(message)))],
  });
  await expect(running).rejects.toBe(lost);
  expect(told).toEqual([]);
});

test('a run leaves no tensors behind', async () => {
  await train();
  const before = tf.memory().numTensors;
  await train();
  expect(tf.memory().numTensors).toBe(before);
});

test('a run without phases is seen as a whole', async () => {
  const seen: boolean[] = [];
  await train({
    plugins: [observer(({ hooks }) => hooks.onTrainBegin.tap('observer', (run) => void seen.push('whole' in run)))],
  });
  expect(seen).toEqual([false]);
});

test('what spans the phases of a run has its state back when the run is resumed', async () => {
  const snapshots: Snapshot[] = [];
  const loaded: unknown[] = [];
  const counting = () =>
    observer(({ hooks }) => {
      let epochs = 0;
      hooks.onEpochEnd.tap('observer', (_, run) => {
        epochs++;
        snapshots.push(structuredClone(run.snapshot()));
      });
      return { save: () => epochs, load: (saved: unknown) => void loaded.push(saved) };
    }, 'run');
  const phases = [{ name: 'one' }, { name: 'two' }];
  await train({ plugins: [counting()], phases });
  await train({ plugins: [counting()], phases, resume: snapshots[2]! });
  expect(loaded).toEqual([3]);
});

/** Rows of each step. */
async function rowsOf(changes: Partial<TrainerOptions>): Promise<number[][]> {
  const rows: number[][] = [];
  const recording = observer(({ hooks }) =>
    hooks.onBatchEnd.tap('observer', ({ batch }) => void rows.push([...batch.indices])),
  );
  await train({ plugins: [recording], ...changes });
  return rows;
}

test('images are drawn by the epoch of the run, whatever its phases', async () => {
  const whole = await rowsOf({ train: { epochs: 4, batchSize: 4, step: 'eager' } });
  expect(await rowsOf({ phases: [{ name: 'one' }, { name: 'two' }] })).toEqual(whole);
  expect(whole.slice(0, 2)).not.toEqual(whole.slice(4, 6));
});

test('images are augmented in training', async () => {
  const lossOf = async (augment: typeof data.augment) =>
    (await train({ data: { ...data, augment } })).epochs.map(({ train: { loss } }) => loss);
  expect(await lossOf([{ name: 'flip', probability: 1 }])).not.toEqual(await lossOf([]));
});

test('a metric of an epoch is there where it applies: seconds, validation, the share that is relabelled', async () => {
  const start = performance.now();
  const { epochs } = await train({ data: { ...data, validation: data.test } });
  const wall = (performance.now() - start) / 1000;
  for (const { seconds, waitSeconds, validation, train: trained } of epochs) {
    expect(seconds).toBeGreaterThan(0);
    expect(seconds).toBeLessThan(wall);
    expect(waitSeconds).toBeGreaterThanOrEqual(0);
    expect(waitSeconds).toBeLessThan(wall);
    expect(validation!.accuracy).toBeGreaterThanOrEqual(0);
    expect(trained.relabelledShare).toBeNull();
  }
  const mixed = await train({ plugins: [mixup(), remix()] });
  expect(mixed.epochs[0]!.train.relabelledShare).toBeGreaterThanOrEqual(0);
});

test('where loss and penalty are not finite later on, the loss is named', async () => {
  const penalty = definePlugin({
    name: 'penalty',
    options: z.strictObject({}),
    apply({ hooks }) {
      hooks.buildLoss.tap('penalty', (loss) => ({
        ...loss,
        penalties: { ...loss.penalties, size: (_, weights) => weights['classifier/kernel']!.square().mean() },
      }));
    },
  });
  const optimizer = { name: 'sgd', learningRate: 1e30 } as const;
  await expect(
    train({ plugins: [penalty()], train: { epochs: 2, batchSize: 4, step: 'eager', optimizer } }),
  ).rejects.toMatchObject({ code: 'LOSS_NOT_FINITE' });
});

test('a run that does not go back finds in its evaluation that it has diverged', async () => {
  const optimizer = { name: 'sgd', learningRate: 1e38 } as const;
  await expect(train({ train: { epochs: 1, batchSize: 8, step: 'eager', optimizer } })).rejects.toThrow(
    'evaluation: expected finite logits',
  );
});
