import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { compose } from '../../src/compose/compose.ts';
import { checkSpanning, metricsAt, type Place, spansRun } from '../../src/compose/span.ts';
import type { Hooks } from '../../src/hooks.ts';
import { definePlugin, type Plugin, type PluginDefinition } from '../../src/plugin.ts';
import { smallInfo } from '../support/info.ts';
import { messageOfError } from '../support/message.ts';
import { epochMetrics } from '../support/tracked-run.ts';

const options = z.strictObject({});
const plugin = (name: string, parts: Partial<PluginDefinition<typeof options>> = {}): Plugin =>
  definePlugin({ name, options, spans: 'run', apply() {}, ...parts })();

const place: Place = { phase: 'second', epochs: 3, steps: 30 };
const info = smallInfo();

test('only a plugin that says so spans the run', () => {
  expect(spansRun(plugin('all'))).toBe(true);
  expect(spansRun(plugin('own', { spans: 'phase' }))).toBe(false);
  expect(spansRun(definePlugin({ name: 'plain', options, apply() {} })())).toBe(false);
});

test('figures of a phase count over the run, and say which phase', () => {
  const metrics = { ...epochMetrics(2), step: 8 };
  expect(metricsAt(metrics, place)).toEqual({ ...metrics, epoch: 5, phase: 'second', step: 38 });
});

describe('taps of plugins that span the run', () => {
  const whole = { whole: 'the run' };

  test('are told of each epoch and step as the run counts, with the whole run', async () => {
    const heard: unknown[] = [];
    const all = plugin('all', {
      apply({ hooks }) {
        hooks.onEpochBegin.tap('all', (...given) => void heard.push(['begin', ...given]));
        hooks.onBatchEnd.tap('all', ({ epoch, step, stepInEpoch }) => void heard.push([epoch, step, stepInEpoch]));
        hooks.onEpochEnd.tap('all', ({ epoch, step, phase }, run) => void heard.push([epoch, step, phase, run]));
        hooks.onTrainBegin.tap('all', () => void heard.push('once a run, by the trainer'));
      },
    });
    const { hooks } = compose([], info, [], { composition: compose([all], info), place });
    await hooks.onEpochBegin.promise(1, { whole } as never);
    hooks.onBatchEnd.call({ epoch: 1, step: 2, stepInEpoch: 2 } as never);
    await hooks.onEpochEnd.promise({ ...epochMetrics(1), step: 4 }, { whole } as never);
    await hooks.onTrainBegin.promise({ whole } as never);
    expect(heard).toEqual([
      ['begin', 4, whole],
      [4, 32, 2],
      [4, 34, 'second', whole],
    ]);
  });

  test('run in one order with those of the phase, and are waited for', async () => {
    const order: string[] = [];
    const noting = (name: string, stage: number, spans: 'run' | 'phase') =>
      plugin(name, {
        spans,
        apply: ({ hooks }) =>
          void hooks.onEpochEnd.tapPromise({ name, stage }, async () => {
            await new Promise(setImmediate);
            order.push(name);
          }),
      });
    const plain = plugin('plain', {
      apply: ({ hooks }) => void hooks.onEpochEnd.tap('plain', () => void order.push('plain')),
    });
    const spanning = compose([noting('early', -5, 'run'), plain, noting('late', 20, 'run')], info);
    const { hooks, timings } = compose([noting('own', 10, 'phase')], info, [], { composition: spanning, place });
    await hooks.onEpochEnd.promise(epochMetrics(1), { whole } as never);
    expect(order).toEqual(['early', 'plain', 'own', 'late']);
    expect(timings.map(({ plugin: name, calls }) => [name, calls])).toEqual([
      ['own', 1],
      ['early', 1],
      ['plain', 1],
      ['late', 1],
    ]);
  });
});

describe('a plugin that spans the run observes, and nothing else', () => {
  const refused = (parts: Partial<PluginDefinition<typeof options>>) =>
    messageOfError(() => checkSpanning(compose([plugin('all', parts)], info)));
  const message = (what: string) =>
    `[all] spans the phases of a run, and ${what}: expected taps of on… hooks alone.\n  Leave out \`spans\`, and each phase has its own.`;
  const tapping = (hook: keyof Hooks): Partial<PluginDefinition<typeof options>> => ({
    apply: ({ hooks }) => (hooks[hook] as Hooks['onBatch']).tap('all', (value) => value),
  });

  test.each<[string, Partial<PluginDefinition<typeof options>>]>([
    ['has inputs', { inputs: () => ({}) }],
    ['has variants', { variants: () => ({}) }],
    ['has rows', { rows: () => ({ extra: { weights: () => new Float64Array(4).fill(1) } }) }],
    ['has extendModel', { extendModel: (model) => model }],
    ['provides or requires something', { provides: ['loss'] }],
    ['provides or requires something', { provides: ['mix'], requires: ['mix'] }],
    ['taps onBatch', tapping('onBatch')],
    ['taps computeTargets', tapping('computeTargets')],
    ['taps buildLoss', tapping('buildLoss')],
  ])('%s', async (what, parts) => {
    expect(await refused(parts)).toBe(message(what));
  });

  test('what requires something alone is refused too', async () => {
    const composition = compose([plugin('all', { requires: ['mix'] }), plugin('mixer', { provides: ['mix'] })], info);
    expect(await messageOfError(() => checkSpanning(composition))).toBe(message('provides or requires something'));
  });

  test('observers pass, whatever other plugins tap', () => {
    const observing = (
      ['onTrainBegin', 'onEpochBegin', 'onBatchEnd', 'onEpochEnd', 'onCheckpoint', 'onTrainEnd', 'onError'] as const
    ).map((hook) => ({ ...plugin('all', tapping(hook)) }));
    for (const one of observing) expect(() => checkSpanning(compose([one], info))).not.toThrow();
    expect(() => checkSpanning(compose([], info))).not.toThrow();
  });
});
