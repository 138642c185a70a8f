import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import earlyStopping, { improve, reason } from '../../plugins/early-stopping/index.ts';
import { compose } from '../../src/compose/compose.ts';
import { definePlugin } from '../../src/plugin.ts';
import type { Run, Snapshot } from '../../src/run.ts';
import { createTrainer } from '../../src/train/trainer.ts';
import { smallInfo } from '../support/info.ts';
import { messageOfError } from '../support/message.ts';
import { warningsOf } from '../support/plugins.ts';
import { squares, tinyModel } from '../support/squares.ts';
import { epochMetrics, evaluation, fakeRun } from '../support/tracked-run.ts';

/** Tells the plugin of one epoch after the other; returns the epoch at which it stopped the run, and why. */
async function stopsAt(
  options: Parameters<typeof earlyStopping>[0],
  validation: (number | null)[],
  test: (number | null)[] = validation,
  epochs = 100,
): Promise<{ epoch: number; reason: string } | null> {
  const { hooks } = compose([earlyStopping(options)], smallInfo({ epochs }));
  let stopped: { epoch: number; reason: string } | null = null;
  for (let epoch = 1; epoch <= validation.length && stopped === null; epoch++) {
    const evaluationOf = (value: number | null | undefined) =>
      value === null || value === undefined ? null : { ...evaluation(value), loss: value };
    const run: Run = fakeRun(null, {
      stop: (why) => {
        stopped = { epoch, reason: why };
      },
    });
    await hooks.onEpochEnd.promise(
      epochMetrics(epoch, { validation: evaluationOf(validation[epoch - 1]), test: evaluationOf(test[epoch - 1]) }),
      run,
    );
  }
  return stopped;
}

describe('early-stopping', () => {
  test('improve: better by more than minDelta, upwards or for the loss downwards', () => {
    const best = { epoch: 1, value: 0.5 };
    const better = (value: number, metric: 'accuracy' | 'loss', minDelta = 0) =>
      improve(best, { epoch: 2, value }, { better: metric === 'loss' ? 'low' : 'high', minDelta }).epoch === 2;
    expect(better(0.51, 'accuracy')).toBe(true);
    expect(better(0.5, 'accuracy')).toBe(false);
    expect(better(0.75, 'accuracy', 0.25)).toBe(false);
    expect(better(0.76, 'accuracy', 0.25)).toBe(true);
    expect(better(0.49, 'loss')).toBe(true);
    expect(better(0.51, 'loss')).toBe(false);
    expect(better(Number.NaN, 'loss')).toBe(false);
    expect(improve({ epoch: 1, value: Number.NaN }, { epoch: 2, value: 3 }, { better: 'low', minDelta: 0 }).epoch).toBe(
      2,
    );
  });

  test('stops `patience` epochs after the best', async () => {
    expect(await stopsAt({ patience: 2 }, [0.1, 0.3, 0.2, 0.3, 0.9])).toMatchInlineSnapshot(`
      {
        "epoch": 4,
        "reason": "early-stopping: balancedAccuracy on validation has not improved in 2 epochs since epoch 2 (0.3)",
      }
    `);
    expect(await stopsAt({ patience: 2 }, [0.1, 0.3, 0.2, 0.4, 0.3])).toBeNull();
    expect(
      await stopsAt({ patience: 3, metric: 'loss', minDelta: 0.1 }, [2, 1, 0.95, 0.92, 0.91]),
    ).toMatchInlineSnapshot(`
      {
        "epoch": 5,
        "reason": "early-stopping: loss on validation has not improved by more than 0.1 in 3 epochs since epoch 2 (1)",
      }
    `);
  });

  test('a run that has reached its last epoch has ended by itself', async () => {
    expect(await stopsAt({ patience: 1 }, [0.3, 0.2], undefined, 2)).toBeNull();
    expect((await stopsAt({ patience: 1 }, [0.3, 0.2], undefined, 3))?.epoch).toBe(2);
  });

  test('counts epochs, also those without an evaluation', async () => {
    expect((await stopsAt({ patience: 2 }, [0.5, null, 0.4]))?.epoch).toBe(3);
  });

  test('judges by the validation split unless told to use the test set', async () => {
    const [rising, falling] = [
      [0.1, 0.2, 0.3],
      [0.3, 0.2, 0.1],
    ];
    expect(await stopsAt({ patience: 1 }, rising, falling)).toBeNull();
    expect(await stopsAt({ patience: 1, split: 'test' }, rising, falling)).not.toBeNull();
  });

  test('says what is missing, and what is not meant so', async () => {
    expect(
      await messageOfError(async () => compose([earlyStopping()], smallInfo({ validationCount: 0 }))),
    ).toMatchInlineSnapshot(
      `"early-stopping.split: expected a validation split for \`split: validation\`, got none. Set data.split.validation, or \`split: test\`."`,
    );
    expect(
      warningsOf([earlyStopping({ split: 'test', patience: 10 })], smallInfo({ epochs: 10 })),
    ).toMatchInlineSnapshot(`
      [
        "NO_EFFECT [early-stopping] patience 10 is not below the 10 epochs of the run.",
        "NOT_INTENDED [early-stopping] the test set decides when the run ends, so its results are optimistic.",
      ]
    `);
    expect(warningsOf([earlyStopping({ patience: 9 })], smallInfo({ epochs: 10 }))).toEqual([]);
    expect(warningsOf([earlyStopping({ split: 'test' })], smallInfo({ epochs: 100, validationCount: 0 }))).toHaveLength(
      1,
    );
  });

  test('a run ends by it, and ends again at once when it is resumed', async () => {
    const snapshots: Snapshot[] = [];
    const epochs: number[] = [];
    const observer = definePlugin({
      name: 'observer',
      options: z.strictObject({}),
      apply({ hooks }) {
        hooks.onEpochEnd.tap('observer', ({ epoch }, run) => {
          epochs.push(epoch);
          snapshots.push(structuredClone(run.snapshot()));
        });
      },
    });
    const run = (resume?: Snapshot) =>
      createTrainer({
        data: { ...squares(), validation: squares().test },
        model: tinyModel(),
        // Nothing is better by a whole 1: the first epoch stays the best.
        plugins: [earlyStopping({ patience: 2, minDelta: 1 }), observer()],
        train: { epochs: 9, batchSize: 16 },
        ...(resume ? { resume } : {}),
      }).run();
    const whole = await run();
    expect(whole.summary).toMatchObject({ status: 'stopped', lastEpoch: 3 });
    expect(whole.summary.reason).toMatch(
      /^early-stopping: balancedAccuracy on validation has not improved by more than 1/,
    );

    const [, second, third] = structuredClone(snapshots);
    const later = await run(second);
    expect(later.summary).toMatchObject({ status: 'stopped', lastEpoch: 3, reason: whole.summary.reason });
    expect(later.snapshot!.state).toEqual(whole.snapshot!.state);
    const over = await run(third);
    expect(over.summary).toMatchObject({ status: 'stopped', lastEpoch: 3, reason: whole.summary.reason });
    expect(over.snapshot!.state).toEqual(whole.snapshot!.state);
    expect(epochs).toEqual([1, 2, 3, 3]);
  });
});

test('the reason names metric, split, epoch and value', () => {
  const options = { split: 'validation', metric: 'accuracy', patience: 10, minDelta: 0 } as const;
  expect(reason({ epoch: 7, value: 0.123456 }, options)).toMatchInlineSnapshot(
    `"early-stopping: accuracy on validation has not improved in 10 epochs since epoch 7 (0.1235)"`,
  );
});
