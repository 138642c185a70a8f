import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { compose } from '../../src/compose/compose.ts';
import { definePlugin, type HeldPlugin, type Plugin, type PluginDefinition, pluginOption } from '../../src/plugin.ts';
import { smallInfo } from '../support/info.ts';
import { messageOfError } from '../support/message.ts';

const options = z.strictObject({});
const plugin = (name: string, parts: Partial<PluginDefinition<typeof options>> = {}): Plugin =>
  definePlugin({ name, options, provides: ['mix'], apply() {}, ...parts })();

const holding = z.strictObject({ of: z.array(z.strictObject({ plugin: pluginOption() })).default([]) });
const holder = (
  held: readonly Plugin[],
  parts: Partial<PluginDefinition<typeof holding>> = {},
  name = 'holder',
): Plugin =>
  definePlugin({ name, options: holding, provides: ['mix'], holds: 'of', apply() {}, ...parts })({
    of: held.map((one) => ({ plugin: one })),
  });

const composed = (...plugins: Plugin[]) => compose(plugins, smallInfo());
const refused = (...plugins: Plugin[]) => messageOfError(() => composed(...plugins));

describe('what another plugin holds', () => {
  test('has a name of its own in the run, at any depth', async () => {
    const taken = '[holder] holds mixer, and a run has one of each. Remove one.';
    expect(await refused(holder([plugin('mixer')]), plugin('mixer', { provides: [] }))).toBe(taken);
    expect(await refused(plugin('mixer', { provides: [] }), holder([plugin('mixer')]))).toBe(taken);
    expect(await refused(holder([plugin('mixer'), plugin('mixer')]))).toBe(taken);
    const inner = holder([plugin('mixer')], {}, 'inner');
    expect(await refused(holder([plugin('mixer'), inner]))).toBe(taken.replace('holder', 'inner'));
    expect(await refused(holder([inner, plugin('mixer')]))).toBe(taken);
    expect(await refused(holder([holder([], {}, 'holder')]))).toBe(
      '[holder] holds holder, and a run has one of each. Remove one.',
    );
  });

  test('provides what its holder provides and nothing else, and requires nothing', async () => {
    const refusal = (provides: string, requires = 'nothing', offered = '"mix"') =>
      `[holder] holds held: expected a plugin that provides ${offered} and requires nothing; held provides ${provides} and requires ${requires}.\n  Make it an entry of the run.`;
    expect(await refused(holder([plugin('held', { provides: [] })]))).toBe(refusal('nothing'));
    expect(await refused(holder([plugin('held', { provides: undefined as never })]))).toBe(refusal('nothing'));
    expect(await refused(holder([plugin('held', { provides: ['mix', 'loss'] })]))).toBe(refusal('"mix" and "loss"'));
    expect(await refused(holder([plugin('held', { requires: ['loss'] })]))).toBe(refusal('"mix"', '"loss"'));
    expect(await refused(holder([plugin('held')], { provides: undefined as never }))).toBe(
      refusal('"mix"', 'nothing', 'nothing'),
    );
    expect(() =>
      composed(holder([plugin('held', { provides: ['loss'] })], { provides: ['mix', 'loss'] })),
    ).not.toThrow();
  });

  test('leaves the model as it is', async () => {
    expect(await refused(holder([plugin('held', { extendModel: (model) => model })]))).toBe(
      '[holder] holds held: expected a plugin that leaves the model as it is and reads nothing; held adds weights to it.\n  Make it an entry of the run.',
    );
    expect(await refused(holder([plugin('held', { trains: () => [] })]))).toContain(
      'held decides which weights are trained.\n',
    );
    expect(await refused(holder([plugin('held', { initialWeights: () => ({}) })]))).toContain(
      'held computes the first values of weights.\n',
    );
  });

  test('is checked as any plugin is', async () => {
    expect(await refused(holder([plugin('held', { rows: 3 as never })]))).toBe(
      '[held] rows: expected a function; got 3.',
    );
  });
});

describe('the option that lists it', () => {
  const listing = (value: unknown): Plugin => {
    const made = holder([]);
    return { ...made, options: { of: value } };
  };

  test.each<[string, unknown]>([
    ['undefined', undefined],
    ['3', 3],
    ['an array of 1', [3]],
    ['an array of 1', [{ plugin: 3 }]],
    ['an array of 2', [{ plugin: plugin('mixer') }, { plugin: {} }]],
  ])('%s is none', async (got, value) => {
    expect(await refused(listing(value))).toBe(
      `[holder] holds: expected "of" to be an option that lists plugins, [{ plugin }, …]; it is ${got}. Declare it with pluginOption().`,
    );
  });

  test('may be empty', () => {
    expect(() => composed(listing([]))).not.toThrow();
  });
});

test('what is held adds its inputs, variants, draws and state to the run, and has hooks of its own', () => {
  let held: readonly HeldPlugin[] = [];
  const one = plugin('one', {
    inputs: () => ({ noise: { shape: ['batch'], dtype: 'float32' } }),
    variants: () => ({ mix: ['input', 'stage1'] }),
    rows: () => ({ extra: { weights: () => new Float64Array(4).fill(1) } }),
    apply: () => ({ save: () => 1, load() {} }),
  });
  const two = plugin('two', {
    variants: () => ({ mix: ['stage1', 'stage2'], depth: ['a'] }),
    apply: ({ hooks }) => void hooks.onBatch.tap('two', (batch) => batch),
  });
  const top = holder([one, two], {
    inputs: () => ({ step: { shape: [], dtype: 'int32' } }),
    variants: () => ({ mix: ['none'] }),
    apply: (context) => {
      held = context.held;
    },
  });
  const { inputs, variants, groups, states, hooks } = composed(top);
  expect(Object.keys(inputs)).toEqual(['holder/step', 'one/noise']);
  expect(variants).toEqual({ mix: ['none', 'input', 'stage1', 'stage2'], depth: ['a'] });
  expect([Object.keys(groups), Object.keys(states)]).toEqual([['one/extra'], ['one']]);
  expect(hooks.onBatch.taps).toEqual([]);
  expect(held.map(({ name }) => name)).toEqual(['one', 'two']);
  expect(held[0]).toMatchObject({ inputs: { 'one/noise': {} }, variants: { mix: ['input', 'stage1'] } });
  expect(held.map((child) => child.hooks.onBatch.taps.length)).toEqual([0, 1]);
});
