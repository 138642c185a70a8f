import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import checkpoint from '../../plugins/checkpoint/index.ts';
import earlyStopping from '../../plugins/early-stopping/index.ts';
import { epochFigures } from '../../plugins/mlflow/figures.ts';
import tracking from '../../plugins/tracking/index.ts';
import { keptTable } from '../../src/metrics/logits.ts';
import type { EvaluatedSplit } from '../../src/metrics/types.ts';
import { definePlugin, type Plugin } from '../../src/plugin.ts';
import type { Snapshot } from '../../src/run.ts';
import { bestCheckpointPath, readCheckpoint } from '../../src/tracking/checkpoint.ts';
import { readLogits } from '../../src/tracking/logits-file.ts';
import { readEpochs, readSeals, readSummary } from '../../src/tracking/run-directory.ts';
import { logitsFile } from '../../src/tracking/run-files.ts';
import { sealOf } from '../../src/tracking/seal.ts';
import { createTrainer, type TrainerOptions } from '../../src/train/trainer.ts';
import { tapping } from '../support/faulty.ts';
import { squares, tinyModel } from '../support/squares.ts';
import { temporaryFolder } from '../support/temporary.ts';

const data = () => ({ ...squares(), validation: squares([3, 3, 2, 2]).train });

/** Notes what it sees; its figures are `<name>-seen`, images, and those of `also`. */
const watching = (
  name: string,
  seen: EvaluatedSplit[] = [],
  also: (epoch: number) => Record<string, number> = () => ({}),
): Plugin =>
  definePlugin({
    name,
    options: z.strictObject({}),
    apply({ hooks }) {
      hooks.computeFigures.tap(name, (figures, one) => {
        seen.push(one);
        return { ...figures, [`${name}-seen`]: one.labels.length, ...also(one.epoch) };
      });
    },
  })();

const train = async (plugins: readonly Plugin[], changes: Partial<TrainerOptions> = {}) => {
  const directory = await temporaryFolder();
  const result = await createTrainer({
    data: data(),
    model: tinyModel(),
    plugins: [...plugins, tracking()],
    train: { epochs: 2, batchSize: 16, step: 'eager' },
    backend: 'wasm',
    directory,
    ...changes,
  }).run();
  return { directory, ...result };
};

describe('computeFigures', () => {
  test('sees all logits and labels of a split, validation first, and what it returns is in the metrics', async () => {
    const seen: EvaluatedSplit[] = [];
    const { directory, summary } = await train([watching('a', seen), watching('b')]);
    expect(seen.map(({ split, epoch }) => [split, epoch])).toEqual([
      ['validation', 1],
      ['test', 1],
      ['validation', 2],
      ['test', 2],
    ]);
    const [, , , last] = seen;
    expect(last!.logits).toHaveLength(20 * 4);
    expect([...last!.labels]).toEqual([...data().test.split.labels]);
    expect(last!.evaluation).toMatchObject({ accuracy: summary.last!.accuracy, perClass: summary.last!.perClass });
    const predictions = Array.from(last!.labels, (_, i) => {
      const row = last!.logits.subarray(4 * i, 4 * i + 4);
      return row.indexOf(Math.max(...row));
    });
    expect(predictions.filter((one, i) => one === last!.labels[i]).length / 20).toBe(summary.last!.accuracy);
    const epochs = await readEpochs(directory);
    expect(epochs.map(({ test: tested }) => tested!.figures)).toEqual([
      { 'a-seen': 20, 'b-seen': 20 },
      { 'a-seen': 20, 'b-seen': 20 },
    ]);
    expect(epochs[1]!.validation!.figures).toEqual({ 'a-seen': 10, 'b-seen': 10 });
    expect(summary.last!.figures).toEqual({ 'a-seen': 20, 'b-seen': 20 });
    expect(epochFigures(epochs[1]!)).toMatchObject({ 'test/figures/a-seen': 20, 'validation/figures/b-seen': 10 });
  });

  test('without such a plugin an evaluation has no figures', async () => {
    const { summary } = await train([]);
    expect(summary.last).not.toHaveProperty('figures');
  });

  test('a run is stopped by a plugin’s figure, and its best epoch is kept by one where less is better', async () => {
    const own = watching('own', [], (epoch) => ({ rising: -((epoch - 2) ** 2), falling: (epoch - 3) ** 2 }));
    const { directory, summary } = await train(
      [
        own,
        earlyStopping({ metric: 'rising', patience: 3 }),
        checkpoint({ best: 'validation', metric: 'falling', better: 'low' }),
      ],
      { train: { epochs: 9, batchSize: 16, step: 'eager' } },
    );
    expect(summary).toMatchObject({ status: 'stopped', lastEpoch: 5 });
    expect(summary.reason).toContain('rising on validation has not improved in 3 epochs since epoch 2');
    expect((await readCheckpoint(bestCheckpointPath(directory, 'validation'))).epoch).toBe(3);
  });

  test('core’s own figures are judged by, the loss and ECE downwards; an unknown one ends the run by name', async () => {
    const { summary } = await train([earlyStopping({ metric: 'ece', patience: 1 })]);
    expect(summary.lastEpoch).toBe(2);
    await expect(train([watching('own'), earlyStopping({ metric: 'own-sen' })])).rejects.toThrow(
      'metric "own-sen": expected a figure that the evaluation has, perhaps "own-seen"',
    );
  });

  test.each([
    ['nothing', () => undefined, null],
    ['a number', () => 3, 'expected numbers by name; got 3.'],
    ['NaN', () => ({ x: Number.NaN }), 'x: expected a finite number; got NaN. Leave a figure out where there is none.'],
    ['a text', () => ({ x: 'y' }), 'x: expected a finite number; got "y". Leave a figure out where there is none.'],
    [
      'a name with a space',
      () => ({ 'a b': 1 }),
      'a name: expected a letter, then letters, digits, ".", "_" or "-"; got "a b".',
    ],
  ])('%s is refused', async (_, tap, message) => {
    const run = train([tapping('computeFigures', tap)]);
    if (message === null) await expect(run).rejects.toMatchObject({ plugin: 'faulty', hook: 'computeFigures' });
    else await expect(run).rejects.toThrow(`computeFigures: ${message}`);
  });

  test('another plugin’s figure cannot be changed or left out', async () => {
    for (const tap of [() => ({}), (figures: object) => ({ ...figures, 'a-seen': 1 })]) {
      await expect(train([watching('a'), tapping('computeFigures', tap)])).rejects.toThrow(
        'a-seen: expected it as a tap before gave it',
      );
    }
  });

  test('a plugin for the whole run taps on… hooks alone', async () => {
    const spanning = tapping('computeFigures', (figures: object) => figures, { spans: 'run' });
    await expect(
      train([spanning], {
        phases: [
          { name: 'one', epochs: 1 },
          { name: 'two', epochs: 1 },
        ],
      }),
    ).rejects.toMatchObject({ code: 'SPANS_PHASES' });
  });
});

describe('logits of the last evaluation', () => {
  test('are in the run directory, sealed, with what they are of', async () => {
    const seen: EvaluatedSplit[] = [];
    const { directory, summary } = await train([watching('a', seen)]);
    const seals = await readSeals(directory);
    for (const split of ['test', 'validation'] as const) {
      const last = seen.findLast((one) => one.split === split)!;
      const { logits, about } = await readLogits(directory, split, 4, seals[logitsFile(split)]!.sha256);
      expect(about).toEqual({ epoch: 2, prior: 'training', images: data()[split]!.hash });
      expect([...logits.labels]).toEqual([...last.labels]);
      expect([...logits.indices]).toEqual([...data()[split]!.indices]);
      const table = keptTable(logits);
      for (let i = 0; i < logits.labels.length; i++) {
        const row = last.logits.subarray(4 * i, 4 * i + 4);
        expect(logits.highest[i]).toBe(Math.max(...row));
        const below = table.below(i);
        for (const [c, value] of row.entries()) {
          const exact = value - logits.highest[i]!;
          expect(Math.abs(below[c]! - exact)).toBeLessThanOrEqual(2 ** -11 * Math.abs(exact) + 1e-7);
        }
      }
    }
    expect(Object.keys(summary.figures!)).toEqual(expect.arrayContaining(['brier', 'gMean', 'backward50Known']));
  });

  test('not where they are not wanted; figures of the confusion matrix are there all the same', async () => {
    const { directory, summary } = await train([], { evaluate: { keepLogits: false } });
    expect(existsSync(join(directory, logitsFile('test')))).toBe(false);
    expect(Object.keys(summary.figures!)).toContain('gMean');
    expect(Object.keys(summary.figures!)).not.toContain('brier');
    await expect(readLogits(directory, 'test', 4)).rejects.toMatchObject({ code: 'RUN_LOGITS' });
  });

  test('a run that is resumed after its end has the same; a damaged file is refused', async () => {
    const first = await train([]);
    const before = await readSeals(first.directory);
    await rm(join(first.directory, 'summary.json'));
    await train([], { resume: first.snapshot as Snapshot, directory: first.directory });
    expect(await readSeals(first.directory)).toEqual(before);
    expect((await readSummary(first.directory))!.figures).toEqual(first.summary.figures);
    const other = sealOf([new Uint8Array(3)]).sha256;
    await expect(readLogits(first.directory, 'test', 4, other)).rejects.toMatchObject({ code: 'RUN_LOGITS_DAMAGED' });
    await expect(readLogits(first.directory, 'test', 5)).rejects.toMatchObject({ code: 'RUN_LOGITS_DAMAGED' });
  });
});
