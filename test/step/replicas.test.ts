import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import balancedMixup from '../../plugins/balanced-mixup/index.ts';
import bbn from '../../plugins/bbn/index.ts';
import cutmix from '../../plugins/cutmix/index.ts';
import gradAccumulation from '../../plugins/grad-accumulation/index.ts';
import { registry } from '../../plugins/index.ts';
import mixup from '../../plugins/mixup/index.ts';
import remix from '../../plugins/remix/index.ts';
import { compose } from '../../src/compose/compose.ts';
import { definePlugin, type Plugin } from '../../src/plugin.ts';
import { randomStream } from '../../src/random.ts';
import { partners } from '../../src/step/batch.ts';
import { createCapturedEngine } from '../../src/step/captured/engine.ts';
import { createEagerEngine } from '../../src/step/eager.ts';
import { ringParts } from '../../src/step/ring.ts';
import ring from '../reference/ring.json' with { type: 'json' };
import { messageOfError } from '../support/message.ts';
import { at, infoWithCounts, mixBatch } from '../support/plugins.ts';
import { twoLayerSteps } from '../support/two-layers.ts';
import { describeNative } from './captured-support.ts';

/** As `values` of test/reference/ring.py. */
function valuesOf(rank: number, length: number): Float32Array {
  const values = new Float32Array(length);
  let state = rank + 1;
  for (let i = 0; i < length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    values[i] = ((state >>> 8) / 2 ** 24 - 0.5) * 2 ** (state % 16);
  }
  return values;
}

describe('the order in which a ring of R ranks sums', () => {
  const inputs = Array.from({ length: 5 }, (_, rank) => valuesOf(rank, 2 ** 21));

  test.each(ring.sums)('$ranks ranks, $length floats: the bits of TensorFlow', ({ ranks, length, sha256 }) => {
    const sum = new Float32Array(length);
    let start = 0;
    for (const part of ringParts(length, ranks)) {
      for (let i = start; i < start + part.length; i++) {
        sum[i] = part.order.map((rank) => inputs[rank]![i]!).reduce((a, b) => Math.fround(a + b));
      }
      start += part.length;
    }
    expect(start).toBe(length);
    expect(createHash('sha256').update(sum).digest('hex')).toBe(sha256);
  });

  test('the order matters to these bits', () => {
    const [a, b, c] = inputs as [Float32Array, Float32Array, Float32Array];
    const differ = a.filter(
      (_, i) => Math.fround(Math.fround(a[i]! + b[i]!) + c[i]!) !== Math.fround(a[i]! + Math.fround(b[i]! + c[i]!)),
    );
    expect(differ.length).toBeGreaterThan(1000);
  });
});

describeNative('a step in R replicas', (use) => {
  const run = (plugins: Plugin[], options: Parameters<typeof twoLayerSteps>[1], step: 'eager' | 'captured') => {
    const { program, calls } = twoLayerSteps(plugins, options);
    const engine = step === 'captured' ? createCapturedEngine(program, use()) : createEagerEngine(program);
    const outputs = calls.map(([signature, feeds]) => engine.run(signature, feeds));
    const state = engine.read();
    engine.dispose();
    return {
      losses: outputs.map(({ loss }) => loss![0]!),
      predictions: outputs.map((output) => [...output.predictions!]),
      state,
    };
  };

  /** Row i of each three with the next. */
  const neighbours = definePlugin({
    name: 'neighbours',
    options: z.strictObject({}),
    provides: ['mix'],
    variants: () => ({ mix: ['input'] }),
    apply({ hooks }) {
      hooks.onBatch.tap('neighbours', (batch) => ({
        ...batch,
        pair: batch.pair.map((_, i) => i - (i % 3) + ((i + 1) % 3)),
        lambda: batch.lambda.map((_, i) => 1 - 0.05 * i),
      }));
    },
  });

  const apart = (a: ArrayLike<number>, b: ArrayLike<number>): number =>
    Math.max(...Array.from(a, (value, i) => Math.abs(value - b[i]!)));

  test.each<[string, () => Plugin[]]>([
    ['nothing mixed', () => []],
    ['partners in each replica, Remix', () => [neighbours(), remix()]],
    ['a second draw', () => [balancedMixup({ alpha: 1 })]],
    ['two branches', () => [bbn()]],
    ['gradients of several steps', () => [gradAccumulation({ steps: 2 })]],
  ])('without batch norm is the step of the whole batch: %s', (_, plugins) => {
    const whole = run(plugins(), { centred: false }, 'eager');
    for (const replicas of [2, 1]) {
      const parts = run(plugins(), { centred: false, replicas }, 'eager');
      expect(parts.predictions).toEqual(whole.predictions);
      expect(apart(parts.losses, whole.losses)).toBeLessThan(replicas === 1 ? 1e-12 : 1e-6);
      for (const [name, values] of Object.entries(whole.state)) {
        expect(apart(parts.state[name]!, values), name).toBeLessThan(replicas === 1 ? 1e-12 : 1e-6);
      }
    }
  });

  test('each replica normalises by its own rows: another step, and statistics are averaged', () => {
    const whole = run([], { steps: 1 }, 'eager');
    const parts = run([], { steps: 1, replicas: 3 }, 'eager');
    expect(apart(parts.losses, whole.losses)).toBeGreaterThan(1e-3);
    // The mean of equal shares' means is the mean of the batch.
    expect(apart(parts.state['hidden/mean']!, whole.state['hidden/mean']!)).toBeLessThan(1e-6);
    expect(apart(whole.state['hidden/mean']!, new Float32Array(5))).toBeGreaterThan(1e-3);
  });

  test('captured is the same to the bit', () => {
    for (const plugins of [() => [mixup(), remix()], () => [cutmix({ probability: 1 })], () => [bbn()]]) {
      const options = { replicas: 3 };
      expect(run(plugins(), options, 'captured')).toEqual(run(plugins(), options, 'eager'));
    }
  });
});

describe('partners', () => {
  test('are a permutation of each replica’s rows; of one replica, the permutation that random gives', () => {
    const drawn = partners({ size: 12, replicas: 3 }, randomStream(1));
    for (const start of [0, 4, 8]) {
      expect([...drawn.subarray(start, start + 4)].sort((a, b) => a - b)).toEqual([0, 1, 2, 3].map((i) => start + i));
    }
    expect(partners({ size: 12, replicas: 1 }, randomStream(2))).toEqual(randomStream(2).permutation(12));
    const orders = Array.from({ length: 20 }, (_, key) =>
      [...partners({ size: 12, replicas: 3 }, randomStream(key))].join(),
    );
    expect(new Set(orders).size).toBe(20);
  });

  test('a plugin that takes those of another replica is refused', async () => {
    const crossing = definePlugin({
      name: 'crossing',
      options: z.strictObject({}),
      apply: ({ hooks }) =>
        void hooks.onBatch.tap('crossing', (batch) => ({ ...batch, pair: Int32Array.of(0, 3, 2, 3, 4, 5) })),
    });
    const composition = compose([crossing()], infoWithCounts([3, 2, 1]));
    const mixed = (replicas: number) => () => mixBatch(composition, new Int32Array(6), at(1), replicas);
    expect(mixed(1)).not.toThrow();
    expect(await messageOfError(mixed(2))).toMatchInlineSnapshot(
      `"[crossing] onBatch: pair[1]: expected a row of replica 0 (train.replicas is 2); got row 3, of replica 1. Draw partners with partners(batch, random), or within each of sharesOf(batch); with train.pairs: global any will do."`,
    );
  });

  test.each(Object.keys(registry))('%s keeps to the replicas', async (name) => {
    const { default: plugin } = await registry[name]!();
    if (!plugin.definition.provides?.includes('mix') || plugin.definition.name === 'choose') return;
    const info = infoWithCounts([9, 6, 3], { epochs: 20, featureSize: 5, modelStages: ['input', 'stage1'] });
    const composition = compose([plugin({} as never)], info);
    const pool = 12 * (1 + Object.keys(composition.groups).length);
    const labels = Int32Array.from({ length: pool }, (_, i) => i % 3);
    for (let step = 1; step < 20; step++) {
      const { batch } = mixBatch(composition, labels, at(8, step), 3);
      batch.pair.forEach((row, i) => {
        expect(Math.floor((row % 12) / 4), `row ${i} of step ${step}`).toBe(Math.floor(i / 4));
      });
    }
  });
});
