import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import {
  checkDefinition,
  declared,
  declaredConflicts,
  declaredCorrection,
  declaredInputs,
  declaredState,
  declaredVariants,
  extendModel,
} from '../../src/compose/declared.ts';
import type { Model, WeightSpec } from '../../src/models/types.ts';
import { definePlugin, type Plugin, type PluginDefinition } from '../../src/plugin.ts';
import { originOf } from '../../src/step/owner.ts';
import { smallInfo } from '../support/info.ts';
import { messageOfError } from '../support/message.ts';
import { tinyModel } from '../support/squares.ts';

const options = z.strictObject({ size: z.number().default(3) });
type Parts = { [Part in keyof PluginDefinition<typeof options>]?: unknown };
const plugin = (parts: Parts = {}): Plugin =>
  definePlugin({ name: 'mine', options, apply() {}, ...parts } as PluginDefinition<typeof options>)();
const info = smallInfo({ epochs: 4 });
const given = (parts: Parts, of: (plugin: Plugin) => unknown) => messageOfError(() => of(plugin(parts)));

test('a part that nobody checks is given as it is', () => {
  expect(declared('mine', 'corrects', () => 3)).toBe(3);
  expect(declared('mine', 'corrects', () => undefined)).toBeUndefined();
});

describe('the kinds of a definition’s parts', () => {
  const refused = (parts: Parts) => given(parts, checkDefinition);

  test('functions and lists', async () => {
    for (const part of ['apply', 'corrects', 'conflicts', 'inputs', 'variants', 'rows', 'extendModel'] as const)
      expect(await refused({ [part]: 3 })).toBe(`[mine] ${part}: expected a function; got 3.`);
    for (const part of ['provides', 'requires'] as const)
      expect(await refused({ [part]: 'mix' })).toBe(`[mine] ${part}: expected a list of capabilities; got "mix".`);
    expect(await refused({ provides: null })).toBe('[mine] provides: expected a list of capabilities; got null.');
  });

  test('all but apply may be left out', async () => {
    expect(await refused({ apply: undefined })).toBe('[mine] apply: expected a function; got undefined.');
    expect(() => checkDefinition(plugin({ inputs: undefined, provides: undefined }))).not.toThrow();
    expect(() => checkDefinition(plugin({ provides: [], requires: ['mix'], inputs: () => ({}) }))).not.toThrow();
  });
});

describe('inputs', () => {
  const refused = (inputs: unknown) => given({ inputs: () => inputs }, (one) => declaredInputs(one, info));
  const spec = `{ shape, dtype }, lengths whole numbers, 'batch' or 'pool', dtype float32 or int32 or uint8`;

  test('of any length and type that there is', () => {
    const inputs = {
      a: { shape: ['batch', 'pool', 1, 20], dtype: 'float32' },
      b: { shape: [], dtype: 'int32' },
      c: { shape: ['pool'], dtype: 'uint8' },
    };
    expect(declaredInputs(plugin({ inputs: () => inputs }), info)).toBe(inputs);
    expect(declaredInputs(plugin(), info)).toEqual({});
    const asked: unknown[] = [];
    declaredInputs(plugin({ inputs: (...all: unknown[]) => void asked.push(...all) }), info);
    expect(asked).toEqual([{ size: 3 }, info]);
  });

  test('of another length are refused', async () => {
    for (const length of [0, -1, 1.5, 'rows', '2', null, true])
      expect(await refused({ x: { shape: ['batch', length], dtype: 'int32' } })).toMatch(
        `[mine] inputs: x: expected ${spec}; got {"shape":["batch",`,
      );
  });

  test('that are no specifications are refused, in few words', async () => {
    expect(await refused(3)).toBe('[mine] inputs: expected inputs by name; got 3.');
    expect(await refused([])).toBe('[mine] inputs: expected inputs by name; got an array of 0.');
    expect(await refused({ x: null })).toBe(`[mine] inputs: x: expected ${spec}; got null.`);
    expect(await refused({ x: 3 })).toBe(`[mine] inputs: x: expected ${spec}; got 3.`);
    expect(await refused({ x: { shape: 4, dtype: 'int32' } })).toMatch('got {"shape":4,"dtype":"int32"}.');
    const long = { shape: new Array(40).fill(0), dtype: 'int32' };
    expect(await refused({ x: long })).toMatch(`got ${JSON.stringify(long).slice(0, 60)}.`);
  });
});

describe('variants', () => {
  const refused = (variants: unknown) => given({ variants: () => variants }, (one) => declaredVariants(one, info));

  test('are lists of texts', async () => {
    const variants = { mix: ['input', 'stage1'], depth: ['a'] };
    expect(declaredVariants(plugin({ variants: () => variants }), info)).toBe(variants);
    expect(declaredVariants(plugin(), info)).toEqual({});
    expect(await refused(3)).toBe('[mine] variants: expected lists of values by name; got 3.');
    expect(await refused(['mix'])).toBe('[mine] variants: expected lists of values by name; got an array of 1.');
    for (const values of [['a', 3], [3], [], 'a', null])
      expect(await refused({ depth: values })).toMatch(
        /^\[mine] variants: depth: expected a list of one text or more; /,
      );
  });
});

test('what is corrected, and what conflicts', async () => {
  expect(declaredCorrection(plugin())).toBeNull();
  expect(
    declaredCorrection(plugin({ corrects: ({ size }: { size: number }) => (size === 3 ? 'class prior' : null) })),
  ).toBe('class prior');
  expect(declaredConflicts(plugin())).toEqual({});
  expect(declaredConflicts(plugin({ conflicts: () => ({ mix: 'a', relabel: 'b' }) }))).toEqual({
    mix: 'a',
    relabel: 'b',
  });
  const refused = (conflicts: unknown) => given({ conflicts: () => conflicts }, declaredConflicts);
  expect(await refused(3)).toBe('[mine] conflicts: expected reasons by capability; got 3.');
  expect(await refused({ mix: 'a', relabel: true })).toMatch(
    /^\[mine] conflicts: expected reasons by capability; got an object/,
  );
});

describe('state', () => {
  const refused = (value: unknown) => messageOfError(() => declaredState('mine', () => value));
  const saving = (value: unknown) => ({ save: () => value, load() {} });

  test('is saved and loaded by the plugin, whose it is known to be', () => {
    let kept: unknown = { seen: 1 };
    const state = declaredState('mine', () => ({
      save: () => kept,
      load: (saved: unknown) => {
        kept = saved;
      },
    }))!;
    state.load(['other']);
    expect(state.save()).toEqual(['other']);
    expect(originOf(state.save)).toEqual({ plugin: 'mine', hook: 'apply', part: 'save' });
    expect(originOf(state.load)).toEqual({ plugin: 'mine', hook: 'apply', part: 'load' });
    expect(declaredState('mine', () => undefined)).toBeNull();
  });

  test('has both functions', async () => {
    for (const value of [
      null,
      {},
      { save: () => 1 },
      { load() {} },
      { save: 3, load() {} },
      { save: () => 1, load: 3 },
    ])
      expect(await refused(value)).toMatch(/^\[mine] apply: expected nothing, or state \{ save, load }; got /);
  });

  test('is JSON, of any depth; what is undefined in an object is left out', () => {
    for (const value of [
      null,
      'text',
      '',
      true,
      false,
      0,
      -1.5,
      [],
      {},
      [[null, 'a', false]],
      { a: { b: [1, { c: null }] } },
      { a: undefined, b: 1 },
      Object.create(null),
    ])
      expect(() => declaredState('mine', () => saving(value))).not.toThrow();
  });

  test.each<[unknown, string]>([
    [undefined, 'expected JSON; got undefined.'],
    [Number.NaN, 'expected JSON; got NaN.'],
    [1n, 'expected JSON; got a BigInt.'],
    [new Date(0), 'expected JSON; got a Date.'],
    [new Float32Array(1), 'expected JSON; got a Float32Array.'],
    [[undefined], '0: expected JSON; got undefined.'],
    [{ a: [1, undefined] }, 'a.1: expected JSON; got undefined.'],
    [{ a: undefined, b: { c: new Set() } }, 'b.c: expected JSON; got a Set.'],
    [{ a: 1, b: Number.POSITIVE_INFINITY }, 'b: expected JSON; got Infinity.'],
  ])('%o is not', async (value, message) => {
    expect(await refused(saving(value))).toBe(`[mine] apply, save: ${message}`);
  });
});

describe('a model that is extended', () => {
  const task = { classes: 4, imageShape: [8, 8, 3] } as const;
  const own: WeightSpec = { name: 'mine/x', shape: [2], kind: 'bias', initial: () => new Float32Array(2) };
  const extended = (extend: (model: Model) => unknown) =>
    extendModel(tinyModel(), plugin({ extendModel: extend }), task as never);

  test('keeps the weights that were there as they were; added ones are the plugin’s', async () => {
    const base = tinyModel();
    const seen: unknown[] = [];
    const extend = (model: Model, ...rest: unknown[]) => {
      seen.push(...rest);
      return { ...model, weights: [...model.weights, own] };
    };
    const { weights, forward } = extendModel(base, plugin({ extendModel: extend }), task as never);
    expect(seen).toEqual([{ size: 3 }, task, undefined]);
    expect(weights.slice(0, 4).map((weight, i) => weight === base.weights[i])).toEqual([true, true, true, true]);
    expect(originOf(weights[4]!.initial)).toEqual({ plugin: 'mine', hook: 'extendModel', part: 'initial of mine/x' });
    expect([...weights[4]!.initial(undefined as never)]).toEqual([0, 0]);
    // The forward pass that is handed through stays the model's.
    expect(originOf(forward)).toBeNull();
    const other = extended((model) => ({
      ...model,
      forward: (...asked: Parameters<Model['forward']>) => model.forward(...asked),
    }));
    expect(originOf(other.forward)).toEqual({ plugin: 'mine', hook: 'extendModel', part: 'forward' });
    expect(extendModel(base, plugin(), task as never)).toBe(base);
  });

  test('adds weights under the plugin’s name, and loses none', async () => {
    const refused = (extend: (model: Model) => unknown) => messageOfError(() => extended(extend));
    const prefix = 'expected names of added weights that begin with "mine/"';
    for (const name of ['x', 'miney', 'mine', 'other/mine/x'])
      expect(await refused((model) => ({ ...model, weights: [...model.weights, { ...own, name }] }))).toBe(
        `[mine] extendModel: weights: ${prefix}; got "${name}".`,
      );
    expect(await refused((model) => ({ ...model, weights: model.weights.slice(1) }))).toBe(
      '[mine] extendModel: weights: expected "hidden/kernel" of the model to stay, [192, 8]; got none.',
    );
  });
});
