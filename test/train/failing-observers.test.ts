import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { z } from 'zod';
import checkpoint from '../../plugins/checkpoint/index.ts';
import mlflow from '../../plugins/mlflow/index.ts';
import tracking from '../../plugins/tracking/index.ts';
import type { TailmixError } from '../../src/errors.ts';
import { definePlugin, Order, type PluginContext, type PluginDefinition } from '../../src/plugin.ts';
import { checkpointPath } from '../../src/tracking/checkpoint.ts';
import { readEpochs, readSummary } from '../../src/tracking/run-directory.ts';
import { runFiles } from '../../src/tracking/run-files.ts';
import { createTrainer, type TrainerOptions } from '../../src/train/trainer.ts';
import { linesOf } from '../support/mlflow-plugin.ts';
import { squares, tinyModel } from '../support/squares.ts';
import { temporaryFolder } from '../support/temporary.ts';

type ObserverHook = 'onTrainBegin' | 'onEpochBegin' | 'onEpochEnd' | 'onCheckpoint' | 'onTrainEnd' | 'onError';

let warned: string[] = [];
const hear = ({ code, message }: Error & { code?: string }): void => {
  if (code === 'OBSERVER_FAILED') warned.push(message);
};
beforeEach(() => {
  warned = [];
  process.on('warning', hear);
});
afterEach(() => {
  process.off('warning', hear);
});

const named = (
  name: string,
  apply: (hooks: PluginContext['hooks']) => void,
  spans: PluginDefinition['spans'] = 'phase',
) => definePlugin({ name, options: z.strictObject({}), spans, apply: ({ hooks }) => apply(hooks) })();

/** A plugin that throws in the given hooks; `step` is the second `onBatch`. */
const failing = (
  name: string,
  hooks: readonly (ObserverHook | 'step')[],
  { stage = 0, spans }: { stage?: number; spans?: 'phase' | 'run' } = {},
) =>
  named(
    name,
    (all) => {
      for (const hook of hooks) {
        if (hook === 'step') {
          all.onBatch.tap({ name, stage }, (batch, { step, rehearsal }) => {
            if (step === 2 && !rehearsal) throw new Error('step');
            return batch;
          });
        } else {
          (all[hook] as PluginContext['hooks']['onError']).tapPromise({ name, stage }, async () => {
            throw new Error(hook);
          });
        }
      }
    },
    spans,
  );

/** Trains two epochs of three steps, with everything that records a run behind the given plugins. */
async function train(plugins: TrainerOptions['plugins'], more: Partial<TrainerOptions> = {}) {
  const directory = await temporaryFolder();
  const heard: string[] = [];
  const spans = more.phases ? 'run' : 'phase';
  const last = named(
    'last',
    (hooks) => {
      const tap = { name: 'last', stage: 2000 };
      for (const hook of ['onTrainBegin', 'onEpochBegin', 'onEpochEnd', 'onCheckpoint', 'onError'] as const)
        (hooks[hook] as typeof hooks.onTrainBegin).tap(tap, () => void heard.push(hook));
      hooks.onTrainEnd.tap(tap, ({ status, reason }) => void heard.push(`onTrainEnd ${status} ${reason}`));
    },
    spans,
  );
  const error = await createTrainer({
    data: squares(),
    model: tinyModel(),
    plugins: [...(plugins ?? []), tracking(), checkpoint(), mlflow({ server: '' }), last],
    train: { epochs: 2, batchSize: 16, step: 'eager' },
    directory,
    config: { resolved: {}, hash: 'abc' },
    ...more,
  })
    .run()
    .then(
      () => null,
      ({ message }: TailmixError) => message,
    );
  const summary = await readSummary(directory);
  const statuses = (await linesOf(directory)).flatMap((line) => (line.type === 'status' ? [line.status] : []));
  return {
    directory,
    error,
    summary: summary && [summary.status, summary.reason],
    epochs: (await readEpochs(directory)).map(({ epoch }) => epoch),
    statuses,
    heard,
  };
}

test('one that fails in onError hides neither the first error nor the run’s records', async () => {
  const ended = await train([failing('bad', ['step', 'onError']), failing('worse', ['onError'])]);
  expect(ended).toMatchObject({
    error: '[bad] onBatch: step',
    summary: ['failed', '[bad] onBatch: step'],
    statuses: ['FAILED'],
    heard: ['onTrainBegin', 'onEpochBegin', 'onError'],
  });
  expect(warned).toMatchInlineSnapshot(`
    [
      "[worse] onError: onError
      It came after the error that the run ends with, and does not replace it.",
      "[bad] onError: onError
      It came after the error that the run ends with, and does not replace it.",
    ]
  `);
});

test('one that fails in onTrainEnd fails the run, and those behind it are told', async () => {
  const ended = await train([failing('bad', ['onTrainEnd'])]);
  expect(ended).toMatchObject({
    error: '[bad] onTrainEnd: onTrainEnd',
    summary: ['failed', '[bad] onTrainEnd: onTrainEnd'],
    epochs: [1, 2],
    statuses: ['FAILED'],
  });
  expect(ended.heard.slice(-2)).toEqual(['onTrainEnd failed [bad] onTrainEnd: onTrainEnd', 'onError']);
  expect(warned).toEqual([]);
});

test('the first of several ends the run, the others are reported', async () => {
  const ended = await train([failing('bad', ['onTrainEnd']), failing('worse', ['onTrainEnd', 'onError'])]);
  expect(ended).toMatchObject({ error: '[bad] onTrainEnd: onTrainEnd', summary: ['failed', ended.error] });
  expect(warned.map((text) => text.split('\n')[0])).toEqual([
    '[worse] onTrainEnd: onTrainEnd',
    '[worse] onError: onError',
  ]);
});

test('one that fails when MLflow has the run’s end already makes it a failed one there too', async () => {
  const ended = await train([failing('bad', ['onTrainEnd'], { stage: Order.Publish + 1 })]);
  expect(ended).toMatchObject({
    error: '[bad] onTrainEnd: onTrainEnd',
    summary: ['failed', ended.error],
    statuses: ['FINISHED', 'RUNNING', 'FAILED'],
  });
});

test('one that fails in onEpochEnd fails the run; the epoch is recorded and can be resumed from', async () => {
  const ended = await train([failing('bad', ['onEpochEnd'])]);
  expect(ended).toMatchObject({
    error: '[bad] onEpochEnd: onEpochEnd',
    summary: ['failed', ended.error],
    epochs: [1],
    statuses: ['FAILED'],
    heard: ['onTrainBegin', 'onEpochBegin', 'onCheckpoint', 'onEpochEnd', 'onError'],
  });
  expect(existsSync(checkpointPath(ended.directory, 1))).toBe(true);
});

test('one that fails in onCheckpoint fails the run; the others hear of the checkpoint', async () => {
  const ended = await train([failing('bad', ['onCheckpoint'])]);
  expect(ended).toMatchObject({
    error: '[bad] onCheckpoint: onCheckpoint',
    summary: ['failed', ended.error],
    epochs: [1],
    heard: ['onTrainBegin', 'onEpochBegin', 'onCheckpoint', 'onEpochEnd', 'onError'],
  });
  expect(existsSync(checkpointPath(ended.directory, 1))).toBe(true);
});

test.each(['onTrainBegin', 'onEpochBegin'] as const)(
  'one that fails in %s fails a run that has all its files',
  async (hook) => {
    const ended = await train([failing('bad', [hook])]);
    expect(ended).toMatchObject({
      error: `[bad] ${hook}: ${hook}`,
      summary: ['failed', ended.error],
      statuses: ['FAILED'],
    });
    expect(ended.heard).toEqual(hook === 'onTrainBegin' ? [hook, 'onError'] : ['onTrainBegin', hook, 'onError']);
    for (const file of [runFiles.config, runFiles.plan, runFiles.subset])
      expect(existsSync(join(ended.directory, file))).toBe(true);
  },
);

describe('a run of two phases', () => {
  const two = (plugins: TrainerOptions['plugins'] & {}): Partial<TrainerOptions> => ({
    phases: [{ epochs: 1 }, { epochs: 1, plugins }],
  });

  test('a phase’s plugin that fails in its second phase', async () => {
    const ended = await train([], two([failing('bad', ['onTrainEnd', 'onError'])]));
    expect(ended).toMatchObject({
      error: '[bad] onTrainEnd: onTrainEnd',
      summary: ['failed', ended.error],
      epochs: [1, 2],
      statuses: ['FAILED'],
    });
    expect(ended.heard.slice(-2)).toEqual([`onTrainEnd failed ${ended.error}`, 'onError']);
    expect(warned.map((text) => text.split('\n')[0])).toEqual(['[bad] onError: onError']);
  });

  test('a phase’s plugin that fails at its beginning, and one that fails in its step', async () => {
    for (const hook of ['onTrainBegin', 'step'] as const) {
      const ended = await train([], two([failing('bad', [hook, 'onError'])]));
      expect(ended).toMatchObject({ summary: ['failed', ended.error], epochs: [1], statuses: ['FAILED'] });
      expect(ended.error).toMatch(/^\[bad] /);
      expect(ended.heard.at(-1)).toBe('onError');
    }
  });

  test('a plugin of the first phase', async () => {
    for (const hook of ['onTrainBegin', 'onTrainEnd'] as const) {
      const ended = await train([failing('bad', [hook])], two([]));
      expect(ended).toMatchObject({
        error: `[bad] ${hook}: ${hook}`,
        summary: ['failed', ended.error],
        statuses: ['FAILED'],
      });
      expect(ended.heard.at(0)).toBe('onTrainBegin');
      expect(existsSync(join(ended.directory, runFiles.subset))).toBe(true);
    }
  });

  test('a plugin that spans them', async () => {
    const ended = await train([failing('bad', ['onEpochEnd', 'onError'], { spans: 'run' })], two([]));
    expect(ended).toMatchObject({
      error: '[bad] onEpochEnd: onEpochEnd',
      summary: ['failed', ended.error],
      epochs: [1],
      statuses: ['FAILED'],
      heard: ['onTrainBegin', 'onEpochBegin', 'onCheckpoint', 'onEpochEnd', 'onError'],
    });
  });
});

test('observers that take a callback are waited for, and named when they fail', async () => {
  const calls: string[] = [];
  const old = named('old', (hooks) => {
    hooks.onTrainEnd.tapAsync('old', (_summary, _run, done) => {
      setImmediate(() => {
        calls.push('onTrainEnd');
        done(new Error('late'));
      });
    });
    hooks.onError.tapAsync('old', (_error, _run, done) => {
      calls.push('onError');
      done();
    });
  });
  expect(await train([old])).toMatchObject({ error: '[old] onTrainEnd: late', statuses: ['FAILED'] });
  expect(calls).toEqual(['onTrainEnd', 'onError']);
});
