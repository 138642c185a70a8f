import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'vitest';
import { z } from 'zod';
import tracking from '../../plugins/tracking/index.ts';
import { TailmixError } from '../../src/errors.ts';
import type { Hooks } from '../../src/hooks.ts';
import { definePlugin, type Plugin, type PluginDefinition } from '../../src/plugin.ts';
import { readSummary } from '../../src/tracking/run-directory.ts';
import { createTrainer, type TrainerOptions } from '../../src/train/trainer.ts';
import { squares, tinyModel } from './squares.ts';
import { temporaryFolder } from './temporary.ts';

const options = z.strictObject({});

/** A definition with parts that are wrong, so of no type. */
export type FaultyParts = { [Part in keyof PluginDefinition<typeof options>]?: unknown };

/** A plugin named `faulty`. */
export const faulty = (parts: FaultyParts): Plugin =>
  definePlugin({ name: 'faulty', options, apply() {}, ...parts } as PluginDefinition<typeof options>)();

/** A faulty plugin that taps one hook with anything. */
export const tapping = (hook: keyof Hooks, tap: unknown, parts: FaultyParts = {}): Plugin =>
  faulty({
    ...parts,
    apply: ({ hooks }: { hooks: Hooks }) =>
      (hooks[hook] as unknown as { tap(name: string, fn: unknown): void }).tap('faulty', tap),
  });

/** What came of a run with a faulty plugin. */
export interface Outcome {
  code: string;
  plugin: string | undefined;
  hook: string | undefined;
  message: string;
}

/**
 * Trains three steps of eight images with a faulty plugin and expects that no step is done, and that a run that has begun
 * leaves its records, with the error in them, and one that has not leaves nothing.
 */
export async function outcomeOf(
  plugins: readonly Plugin[],
  step: 'eager' | 'captured' | 'auto',
  changes: Partial<TrainerOptions> = {},
): Promise<Outcome> {
  const directory = await temporaryFolder();
  let begun = false;
  let ended = false;
  let steps = 0;
  const observer = definePlugin({
    name: 'observer',
    options,
    apply({ hooks }) {
      hooks.onTrainBegin.tap('observer', () => {
        begun = true;
      });
      hooks.onBatchEnd.tap('observer', () => {
        steps++;
      });
      hooks.onError.tap('observer', () => {
        ended = true;
      });
    },
  });
  const run = createTrainer({
    data: squares([10, 5, 3, 2]),
    model: tinyModel(),
    plugins: [...plugins, observer(), tracking()],
    train: { epochs: 1, batchSize: 8, step, optimizer: { name: 'sgd', learningRate: 0.01 } },
    directory,
    ...changes,
  }).run();
  const error: unknown = await run.then(
    () => null,
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof TailmixError)) throw error ?? new Error('expected a fault; the run finished');
  expect(steps).toBe(0);
  expect(ended).toBe(begun);
  if (!begun) expect(await readdir(directory)).toEqual([]);
  const summary = existsSync(join(directory, 'summary.json')) ? await readSummary(directory) : null;
  expect(summary && [summary.status, summary.reason]).toEqual(begun ? ['failed', error.message] : null);
  const { code, plugin, hook, message } = error;
  return { code, plugin, hook, message };
}
