import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { compose } from '../../src/compose/compose.ts';
import type { Signature } from '../../src/graph/index.ts';
import { definePlugin, type Plugin, type PluginDefinition } from '../../src/plugin.ts';
import type { RunInfo } from '../../src/run.ts';
import { buildersTap, createRehearsal, isBuild, keepStates } from '../../src/train/rehearse.ts';
import { smallInfo } from '../support/info.ts';

const options = z.strictObject({});

/** A plugin that notes every call of a hook, and a composition with it. */
function listening(changes: Partial<RunInfo> = {}, parts: Partial<PluginDefinition<typeof options>> = {}) {
  const calls: unknown[][] = [];
  const drawn: number[] = [];
  const plugin: Plugin = definePlugin({
    name: 'ear',
    options,
    rows: () => ({
      extra: {
        weights(epoch) {
          drawn.push(epoch);
          return new Float64Array(4).fill(1);
        },
      },
    }),
    apply({ hooks }) {
      for (const hook of ['computeSamplingWeights', 'computeClassWeights', 'computeLearningRate'] as const)
        (hooks[hook] as typeof hooks.computeClassWeights).tap('ear', (value, context) => {
          calls.push([hook, structuredClone(value), { ...context }]);
          return value;
        });
      hooks.onBatch.tap('ear', (batch, context) => {
        calls.push(['onBatch', structuredClone(batch), { ...context }]);
        return batch;
      });
      hooks.computeTargets.tap('ear', (targets, context) => {
        calls.push(['computeTargets', structuredClone(targets), { ...context }]);
        return targets;
      });
    },
    ...parts,
  })();
  const info = smallInfo({ epochs: 4, ...changes });
  return { calls, drawn, info, composition: compose([plugin], info) };
}

const trains = (size: number, variants: Record<string, string> = {}): Signature => ({
  call: 'train',
  variants,
  inputs: { labels: { shape: [size], dtype: 'int32' } },
});
const predict: Signature = { call: 'predict', variants: {}, inputs: {} };

const rowsOf = (size: number, recording: number, modulo: number) =>
  Int32Array.from({ length: size }, (_, i) => (i * 7919 + recording) % modulo);

test('the hooks of a step are called in the loop’s order, each with its values', () => {
  const { calls, drawn, info, composition } = listening();
  const rehearse = createRehearsal(composition, info, [8, 3]);
  const expected = (recording: 1 | 2, size: number, epoch: number, step: number, stepInEpoch: number) => {
    const weights = recording === 1 ? Float64Array.of(1, 1, 1, 1) : Float64Array.of(1 / 2, 1 / 3, 1 / 4, 1 / 5);
    const own = { epoch, rehearsal: true };
    const context = { ...own, step, stepInEpoch };
    const labels = rowsOf(2 * size, recording, 4);
    const batch = {
      size,
      poolSize: 2 * size,
      indices: rowsOf(2 * size, recording, 35),
      labels,
      groups: { 'ear/extra': { start: size, size } },
    };
    return [
      ['computeSamplingWeights', recording === 1 ? null : weights, own],
      ['computeClassWeights', weights, own],
      ['computeLearningRate', 1 / recording, context],
      ['onBatch', expect.objectContaining(batch), context],
      ['computeTargets', expect.objectContaining({ labels: labels.slice(0, size) }), context],
    ];
  };
  rehearse(1, trains(3));
  expect(calls.splice(0)).toEqual(expected(1, 3, 1, 1, 1));
  rehearse(2, trains(3));
  expect(calls.splice(0)).toEqual(expected(2, 8, 120, 360, 3));
  rehearse(1, trains(8));
  expect(calls.splice(0)).toEqual(expected(1, 8, 1, 3, 1));
  rehearse(1, trains(8));
  expect(calls.splice(0)).toEqual(expected(1, 8, 1, 4, 2));
  expect(drawn).toEqual([1, 120, 1, 1]);
});

test('the second epoch lies beyond the last one, and divides by 2 to 6', () => {
  const epochs = [1, 59, 60, 61, 200].map((epochs) => {
    const { calls, info, composition } = listening({ epochs });
    createRehearsal(composition, info, [4])(2, trains(4));
    return (calls[0]![2] as { epoch: number }).epoch;
  });
  expect(epochs).toEqual([60, 60, 120, 120, 240]);
});

test('epochs of a single step, or of none that is known, have one to rehearse', () => {
  for (const stepsPerEpoch of [1, 0]) {
    const { calls, info, composition } = listening({ stepsPerEpoch });
    const rehearse = createRehearsal(composition, info, [4]);
    for (const recording of [1, 2, 1] as const) rehearse(recording, trains(4));
    expect(calls.filter(([hook]) => hook === 'onBatch').map(([, , context]) => context)).toMatchObject([
      { stepInEpoch: 1 },
      { stepInEpoch: 1 },
      { stepInEpoch: 1 },
    ]);
  }
});

test('sizes: its own, then another that the run has; those of prediction are of the first batch', () => {
  const sizes = (known: number[], ...signatures: Signature[]) => {
    const { calls, info, composition } = listening();
    const rehearse = createRehearsal(composition, info, known);
    for (const signature of signatures) for (const recording of [1, 2] as const) rehearse(recording, signature);
    return calls.filter(([hook]) => hook === 'onBatch').map(([, batch]) => (batch as { size: number }).size);
  };
  expect(sizes([8, 3], trains(8), trains(3), predict)).toEqual([8, 3, 3, 8, 8, 3]);
  expect(sizes([8], trains(8), predict)).toEqual([8, 8, 8, 8]);
  expect(sizes([], predict)).toEqual([1, 1]);
  expect(sizes([8], { ...trains(5), call: 'predict' })).toEqual([8, 8]);
});

describe('a rehearsal is repeated until what is drawn is what it wants, fifty times at most', () => {
  const tries = (
    parts: Partial<PluginDefinition<typeof options>>,
    recording: 1 | 2,
    variants: Record<string, string>,
  ) => {
    let calls = 0;
    const { info, composition } = listening(
      {},
      {
        apply: ({ hooks }) =>
          void hooks.onBatch.tap('ear', (batch) => {
            calls++;
            const depth = calls % 4 === 0 ? 'b' : 'a';
            return 'depth' in batch.variants ? { ...batch, variants: { ...batch.variants, depth } } : batch;
          }),
        ...parts,
      },
    );
    const rehearse = createRehearsal(composition, info, [4]);
    if (recording === 2) rehearse(1, trains(4, {}));
    calls = 0;
    rehearse(recording, trains(4, variants));
    return calls;
  };
  const depth = { variants: () => ({ depth: ['a', 'b'] }) };

  test('the first wants the variants of its signature', () => {
    expect(tries({}, 1, {})).toBe(1);
    expect(tries(depth, 1, { depth: 'a' })).toBe(1);
    expect(tries(depth, 1, { depth: 'b' })).toBe(4);
    expect(tries({ variants: () => ({ mix: ['one', 'two'] }) }, 1, { mix: 'two' })).toBe(50);
  });

  test('the second wants others, and other lambdas where something mixes', () => {
    expect(tries({}, 2, {})).toBe(1);
    expect(tries(depth, 2, {})).toBe(4);
    expect(tries({ variants: () => ({ mix: ['one', 'two'] }) }, 2, {})).toBe(50);
    expect(tries({ variants: () => ({ mix: ['one'] }) }, 2, {})).toBe(1);
    expect(tries({ provides: ['mix'] }, 2, {})).toBe(50);
  });
});

test('state of plugins is noted as it is, and put back', () => {
  const live = { seen: [1] };
  const loaded: unknown[] = [];
  const putBack = keepStates({
    states: {
      one: { save: () => live, load: (saved) => void loaded.push(['one', saved]) },
      two: { save: () => 2, load: (saved) => void loaded.push(['two', saved]) },
    },
  });
  live.seen.push(2);
  expect(loaded).toEqual([]);
  putBack();
  expect(loaded).toEqual([
    ['one', { seen: [1] }],
    ['two', 2],
  ]);
});

test('plugins that build, and tap another hook too', () => {
  const tap = (plugin: string, hook: string) => ({ plugin, hook, calls: 0, milliseconds: 0 }) as never;
  const timings = [tap('a', 'buildLoss'), tap('a', 'onBatch'), tap('b', 'onEpochBegin'), tap('c', 'buildModel')];
  const taps = (...hooks: string[]) => buildersTap({ timings }, (hook) => hooks.includes(hook));
  expect([taps('onBatch'), taps('onEpochBegin'), taps('onTrainEnd'), taps('buildModel')]).toEqual([
    true,
    false,
    false,
    true,
  ]);
  expect([isBuild('buildLoss'), isBuild('onBatch')]).toEqual([true, false]);
});
