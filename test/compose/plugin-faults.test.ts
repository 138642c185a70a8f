import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import type { Hooks } from '../../src/hooks.ts';
import type { Model, WeightSpec } from '../../src/models/types.ts';
import { definePlugin, type Plugin } from '../../src/plugin.ts';
import type { Batch, Targets } from '../../src/step/types.ts';
import { tf } from '../../src/tf.ts';
import { describeNative } from '../step/captured-support.ts';
import { type FaultyParts, faulty, outcomeOf, tapping } from '../support/faulty.ts';

/** What is wrong, a plugin that does it, the part that is named, what is said after `[faulty] `, and the error's code. */
type Case = [title: string, plugin: () => Plugin, hook: string, message: string, code?: string];

const part = (name: keyof FaultyParts, value: unknown) => () => faulty({ [name]: value });
const fail = (): never => {
  throw new Error('boom');
};
const onBatch =
  (change: (batch: Batch) => unknown, parts: FaultyParts = {}) =>
  () =>
    tapping('onBatch', change, parts);
const onTargets = (change: (targets: Targets) => unknown) => () => tapping('computeTargets', change);
const weight = (changes: Partial<Record<keyof WeightSpec, unknown>> = {}) => ({
  name: 'faulty/scale',
  shape: [4],
  kind: 'norm',
  initial: () => new Float32Array(4),
  ...changes,
});
const extended = (change: (model: Model) => unknown) => part('extendModel', change);
const added = (...weights: unknown[]) => extended((model) => ({ ...model, weights: [...model.weights, ...weights] }));
const later =
  'expected its result at once, got a Promise. Make it synchronous, and do the waiting in onTrainBegin or before the plugin is made.';
const weightsOf = 'expected a Float64Array of 4, each of 0 or more, one a class';

const declarations: Case[] = [
  ['apply throws', part('apply', fail), 'apply', 'apply: boom', 'PLUGIN_FAILED'],
  ['apply is async', part('apply', async () => {}), 'apply', `apply: ${later}`, 'RETURNED_PROMISE'],
  ['apply is async and fails', part('apply', async () => fail()), 'apply', `apply: ${later}`, 'RETURNED_PROMISE'],
  [
    'apply returns a number',
    part('apply', () => 3),
    'apply',
    'apply: expected nothing, or state { save, load }; got 3.',
  ],
  [
    'apply returns state without load',
    part('apply', () => ({ save: () => 1 })),
    'apply',
    'apply: expected nothing, or state { save, load }; got an object with save.',
  ],
  ['save throws', part('apply', () => ({ save: fail, load() {} })), 'apply', 'apply, save: boom', 'PLUGIN_FAILED'],
  [
    'state that is not JSON',
    part('apply', () => ({ save: () => ({ best: { seen: new Map() } }), load() {} })),
    'apply',
    'apply, save: best.seen: expected JSON; got a Map.',
  ],
  [
    'state with a number that JSON does not have',
    part('apply', () => ({ save: () => ({ best: [1, Number.NEGATIVE_INFINITY] }), load() {} })),
    'apply',
    'apply, save: best.1: expected JSON; got -Infinity.',
  ],
  [
    'state that is a function',
    part('apply', () => ({ save: () => fail, load() {} })),
    'apply',
    'apply, save: expected JSON; got a Function.',
  ],
  [
    'no state',
    part('apply', () => ({ save: () => undefined, load() {} })),
    'apply',
    'apply, save: expected JSON; got undefined.',
  ],
  [
    'a hook that does not exist',
    part('apply', ({ hooks }: { hooks: Record<string, { tap(name: string): void }> }) => hooks.onBach!.tap('faulty')),
    'apply',
    'apply: hooks.onBach: expected the name of a hook, perhaps "onBatch".',
    'HOOK_UNKNOWN',
  ],
  [
    'a tap without a function',
    () => tapping('onBatch', undefined),
    'onBatch',
    'onBatch, tap: expected a function; got undefined.',
  ],
  ['inputs throws', part('inputs', fail), 'inputs', 'inputs: boom', 'PLUGIN_FAILED'],
  ['inputs is async', part('inputs', async () => ({})), 'inputs', `inputs: ${later}`, 'RETURNED_PROMISE'],
  [
    'inputs returns a list',
    part('inputs', () => ['noise']),
    'inputs',
    'inputs: expected inputs by name; got an array of 1.',
  ],
  [
    'an input of an unknown type',
    part('inputs', () => ({ noise: { shape: ['batch'], dtype: 'float64' } })),
    'inputs',
    `inputs: noise: expected { shape, dtype }, lengths whole numbers, 'batch' or 'pool', dtype float32 or int32 or uint8; got {"shape":["batch"],"dtype":"float64"}.`,
  ],
  [
    'an input of an unknown length',
    part('inputs', () => ({ noise: { shape: ['rows'], dtype: 'float32' } })),
    'inputs',
    `inputs: noise: expected { shape, dtype }, lengths whole numbers, 'batch' or 'pool', dtype float32 or int32 or uint8; got {"shape":["rows"],"dtype":"float32"}.`,
  ],
  ['variants throws', part('variants', fail), 'variants', 'variants: boom', 'PLUGIN_FAILED'],
  [
    'a variant without values',
    part('variants', () => ({ depth: [] })),
    'variants',
    'variants: depth: expected a list of one text or more; got an array of 0.',
  ],
  [
    'a variant that is a text',
    part('variants', () => ({ depth: 'one' })),
    'variants',
    'variants: depth: expected a list of one text or more; got "one".',
  ],
  ['draw throws', part('draw', fail), 'draw', 'draw: boom', 'PLUGIN_FAILED'],
  [
    'draw returns weights',
    part('draw', () => new Float64Array(4)),
    'draw',
    'draw: expected a function (epoch) → weights; got a Float64Array of 4.',
  ],
  ['a draw that throws', part('draw', () => fail), 'draw', 'draw: boom', 'PLUGIN_FAILED'],
  [
    'a draw of the wrong length',
    part('draw', () => () => new Float64Array(3).fill(1)),
    'draw',
    `draw: ${weightsOf}; got a Float64Array of 3.`,
  ],
  ['a draw of a plain array', part('draw', () => () => [1, 1, 1, 1]), 'draw', `draw: ${weightsOf}; got an array of 4.`],
  ['a draw of nothing', part('draw', () => () => null), 'draw', `draw: ${weightsOf}; got null.`],
  [
    'a negative draw',
    part('draw', () => () => Float64Array.of(1, 1, -1, 1)),
    'draw',
    'draw: [2]: expected a number of 0 or more, one a class; got -1.',
  ],
  [
    'a draw of zeros',
    part('draw', () => () => new Float64Array(4)),
    'draw',
    'draw: expected a weight above 0; got zeros.',
  ],
  [
    'a draw that is async',
    part('draw', () => async () => new Float64Array(4)),
    'draw',
    `draw: ${later}`,
    'RETURNED_PROMISE',
  ],
  ['corrects throws', part('corrects', fail), 'corrects', 'corrects: boom', 'PLUGIN_FAILED'],
  [
    'corrects something else',
    part('corrects', () => 'everything'),
    'corrects',
    'corrects: expected "class prior" or null; got "everything".',
  ],
  [
    'corrects nothing by returning nothing',
    part('corrects', () => undefined),
    'corrects',
    'corrects: expected "class prior" or null; got undefined.',
  ],
  ['conflicts throws', part('conflicts', fail), 'conflicts', 'conflicts: boom', 'PLUGIN_FAILED'],
  [
    'conflicts with a list',
    part('conflicts', () => [['mix']]),
    'conflicts',
    'conflicts: expected reasons by capability; got an array of 1.',
  ],
  [
    'holds an option that does not exist',
    part('holds', 'of'),
    'holds',
    'holds: expected "of" to be an option that lists plugins, [{ plugin }, …]; it is undefined. Declare it with pluginOption().',
    'PLUGIN_NOT_HELD',
  ],
  ['extendModel throws', part('extendModel', fail), 'extendModel', 'extendModel: boom', 'PLUGIN_FAILED'],
  [
    'extendModel is async',
    extended(async (model) => model),
    'extendModel',
    `extendModel: ${later}`,
    'RETURNED_PROMISE',
  ],
  [
    'extendModel returns nothing',
    extended(() => undefined),
    'extendModel',
    'extendModel: expected a model; got undefined.',
  ],
  [
    'extendModel returns an empty object',
    extended(() => ({})),
    'extendModel',
    'extendModel: expected a model; got one without weights, stages, featureSize, forward.',
  ],
  [
    'an added weight without the prefix',
    added(weight({ name: 'scale' })),
    'extendModel',
    'extendModel: weights: expected names of added weights that begin with "faulty/"; got "scale".',
  ],
  [
    'an added weight that exists',
    added(weight({ name: 'classifier/bias' })),
    'extendModel',
    'extendModel: weights[4]: expected a name of its own; got "classifier/bias" again.',
  ],
  [
    'an added weight of no kind',
    added(weight({ kind: 'scale' })),
    'extendModel',
    'extendModel: weights[4]: expected a weight { name, shape, kind, initial(random) }; got an object with name, shape, kind, initial.',
  ],
  [
    'a weight that is gone',
    extended((model) => ({ ...model, weights: model.weights.slice(0, -1) })),
    'extendModel',
    'extendModel: weights: expected "classifier/bias" of the model to stay, [4]; got none.',
  ],
  [
    'a weight of another shape',
    extended((model) => ({
      ...model,
      weights: model.weights.map((spec) => (spec.name === 'classifier/bias' ? { ...spec, shape: [1, 4] } : spec)),
    })),
    'extendModel',
    'extendModel: weights: expected "classifier/bias" of the model to stay, [4]; got [1, 4].',
  ],
  [
    'initial values of the wrong length',
    added(weight({ initial: () => new Float32Array(3) })),
    'extendModel',
    'extendModel, initial of faulty/scale: expected a Float32Array of 4, each of finite size; got a Float32Array of 3.',
  ],
  [
    'initial values that throw',
    added(weight({ initial: fail })),
    'extendModel',
    'extendModel, initial of faulty/scale: boom',
    'PLUGIN_FAILED',
  ],
  [
    'a forward pass that throws',
    extended((model) => ({ ...model, forward: fail })),
    'extendModel',
    'extendModel, forward: boom',
    'PLUGIN_FAILED',
  ],
  [
    'a forward pass with features of another length',
    extended((model) => ({
      ...model,
      forward: (...given: Parameters<Model['forward']>) => {
        const found = model.forward(...given);
        return { ...found, features: tf.concat([found.features, found.features], 1) };
      },
    })),
    'extendModel',
    "extendModel, forward: features: expected float32 [batch, D] = [8, 8]; got float32 [8, 16]. The model's featureSize is 8.",
  ],
];

const hooks: Case[] = [
  ['onBatch throws', onBatch(fail), 'onBatch', 'onBatch: boom', 'PLUGIN_FAILED'],
  ['onBatch returns a number', onBatch(() => 3), 'onBatch', 'onBatch: expected the batch; got 3.'],
  ['onBatch returns null', onBatch(() => null), 'onBatch', 'onBatch: expected the batch; got null.'],
  [
    'lambda is a plain array',
    onBatch((batch) => ({ ...batch, lambda: Array.from(batch.lambda) })),
    'onBatch',
    'onBatch: lambda: expected a Float32Array of 8, each in 0…1; got an array of 8.',
  ],
  [
    'lambda of the wrong length',
    onBatch((batch) => ({ ...batch, lambda: batch.lambda.slice(1) })),
    'onBatch',
    'onBatch: lambda: expected a Float32Array of 8, each in 0…1; got a Float32Array of 7.',
  ],
  [
    'lambda of NaN',
    onBatch((batch) => ({ ...batch, lambda: batch.lambda.map(() => Number.NaN) })),
    'onBatch',
    'onBatch: lambda[0]: expected a number in 0…1; got NaN.',
  ],
  [
    'pair is a plain array',
    onBatch((batch) => ({ ...batch, pair: [...batch.pair] })),
    'onBatch',
    'onBatch: pair: expected an Int32Array of 8, each in 0…7, a row of the pool; got an array of 8.',
  ],
  [
    'pair beyond the pool',
    onBatch((batch) => ({ ...batch, pair: batch.pair.map(() => 8) })),
    'onBatch',
    'onBatch: pair[0]: expected a number in 0…7, a row of the pool; got 8.',
  ],
  [
    'a box outside of the image',
    onBatch((batch) => ({ ...batch, box: { top: 0, bottom: 9, left: 0, right: 1 } })),
    'onBatch',
    'onBatch: box: expected null, or whole rows in 0…8 and columns in 0…8; got rows 0…9, columns 0…1.',
  ],
  [
    'an unknown variant',
    onBatch((batch) => ({ ...batch, variants: { depth: 'two' } }), { variants: () => ({ depth: ['one'] }) }),
    'onBatch',
    'onBatch: variants.depth: expected "one"; got "two".',
  ],
  [
    'a variant that is not declared',
    onBatch((batch) => ({ ...batch, variants: { depth: 'two' } })),
    'onBatch',
    'onBatch: variants.depth: expected a declared variant, of which there is none; got another.',
  ],
  [
    'an input that is not declared',
    onBatch((batch) => ({ ...batch, inputs: { 'faulty/noise': new Float32Array(8) } })),
    'onBatch',
    'onBatch: inputs["faulty/noise"]: expected a declared input, of which there is none; got another name.',
  ],
  [
    'a label of no class',
    onBatch((batch) => {
      batch.labels[0] = 99;
      return batch;
    }),
    'onBatch',
    'onBatch: labels[0]: expected a number in 0…3, a class; got 99.',
  ],
  [
    'other labels',
    onBatch((batch) => ({ ...batch, labels: batch.labels.map(() => -1) })),
    'onBatch',
    'onBatch: labels: expected it as it was: no tap may change it; got another value. Spread what was handed in, and change the rest.',
  ],
  [
    'computeTargets returns a number',
    onTargets(() => 3),
    'computeTargets',
    'computeTargets: expected the targets; got 3.',
  ],
  [
    'label weights in a plain array',
    onTargets((targets) => ({ ...targets, labelWeight: [...targets.labelWeight] })),
    'computeTargets',
    'computeTargets: labelWeight: expected a Float32Array of 8, each in 0…1; got an array of 8.',
  ],
  [
    'a label weight above 1',
    onTargets((targets) => ({ ...targets, labelWeight: targets.labelWeight.map(() => 1.5) })),
    'computeTargets',
    'computeTargets: labelWeight[0]: expected a number in 0…1; got 1.5.',
  ],
  [
    'a target of no class',
    onTargets((targets) => {
      targets.labels[0] = 4;
      return targets;
    }),
    'computeTargets',
    'computeTargets: labels[0]: expected a number in 0…3, a class; got 4.',
  ],
  ...[null, Number.NaN, -0.1, Number.POSITIVE_INFINITY, '0.1', {}].map((rate): Case => {
    const got =
      typeof rate === 'string' ? '"0.1"' : rate !== null && typeof rate === 'object' ? 'an empty object' : String(rate);
    return [
      `a learning rate of ${got}`,
      () => tapping('computeLearningRate', () => rate),
      'computeLearningRate',
      `computeLearningRate: expected a finite number of 0 or more; got ${got}.`,
    ];
  }),
  ...(['computeClassWeights', 'computeSamplingWeights'] as const).flatMap((hook): Case[] => [
    [
      `${hook} returns a plain array`,
      () => tapping(hook, () => [1, 1, 1, 1]),
      hook,
      `${hook}: ${weightsOf}; got an array of 4.`,
    ],
    [`${hook} returns a number`, () => tapping(hook, () => 3), hook, `${hook}: ${weightsOf}; got 3.`],
    [
      `${hook} returns NaN`,
      () => tapping(hook, () => Float64Array.of(1, Number.NaN, 1, 1)),
      hook,
      `${hook}: [1]: expected a number of 0 or more, one a class; got NaN.`,
    ],
    [
      `${hook} returns zeros`,
      () => tapping(hook, () => new Float64Array(4)),
      hook,
      `${hook}: expected a weight above 0; got zeros.`,
    ],
    [
      `${hook} returns nothing`,
      () => tapping(hook, () => undefined),
      hook,
      `${hook} returned undefined. Return the value that was handed in, changed or not.`,
      'RETURNED_NOTHING',
    ],
    [
      `${hook} is async, and fails later`,
      () => tapping(hook, async () => fail()),
      hook,
      `${hook} returned a Promise. This hook runs inside the step and must be synchronous: do the waiting in an on…Begin or on…End hook.`,
      'RETURNED_PROMISE',
    ],
  ]),
  [
    'computeClassWeights leaves a batch without weight',
    () =>
      faulty({
        apply({ hooks: own }: { hooks: Hooks }) {
          own.computeSamplingWeights.tap('faulty', () => Float64Array.of(1, 0, 0, 0));
          own.computeClassWeights.tap('faulty', () => Float64Array.of(0, 1, 1, 1));
        },
      }),
    'computeClassWeights',
    'computeClassWeights: expected a weight above 0 for some image of the batch; all are 0 in step 1 (epoch 1), and their mean is 0/0. Raise the class weights or the batch size, or set train.reduction: mean.',
    'CLASS_WEIGHTS',
  ],
  [
    'a declared input that is not filled',
    part('inputs', () => ({ noise: { shape: ['batch'], dtype: 'float32' } })),
    'onBatch',
    'onBatch: inputs["faulty/noise"]: expected a Float32Array of 8, each other than NaN, for float32[batch]; got undefined.',
  ],
  [
    'a declared input in a plain array',
    onBatch((batch) => ({ ...batch, inputs: { 'faulty/noise': new Array(8).fill(0) } }), {
      inputs: () => ({ noise: { shape: ['batch'], dtype: 'float32' } }),
    }),
    'onBatch',
    'onBatch: inputs["faulty/noise"]: expected a Float32Array of 8, each other than NaN, for float32[batch]; got an array of 8.',
  ],
];

const all = Object.entries({ declarations, hooks });

const expectFault = async (step: 'eager' | 'captured', [, plugin, hook, message, code = 'RETURNED_WRONG']: Case) => {
  expect(await outcomeOf([plugin()], step)).toEqual({ code, plugin: 'faulty', hook, message: `[faulty] ${message}` });
};

describe.each(all)('what a plugin declares and decides, eager: %s', (_, cases) => {
  test.each(cases)('%s', async (...given) => expectFault('eager', given));
});

describeNative('captured', () => {
  describe.each(all)('what a plugin declares and decides: %s', (_, cases) => {
    test.each(cases)('%s', async (...given) => expectFault('captured', given));
  });
});

test('an observer that fails in the run leaves its records', async () => {
  for (const hook of ['onTrainBegin', 'onEpochBegin'] as const) {
    expect(await outcomeOf([tapping(hook, fail)], 'eager')).toEqual({
      code: 'PLUGIN_FAILED',
      plugin: 'faulty',
      hook,
      message: `[faulty] ${hook}: boom`,
    });
  }
});

test('a plugin that is held is named, and not its holder', async () => {
  const held = definePlugin({
    name: 'held',
    options: z.strictObject({}),
    provides: ['mix'],
    variants: () => ({ mix: ['input'] }),
    apply: ({ hooks: own }) => void own.onBatch.tap('held', (batch) => ({ ...batch, lambda: new Float32Array(1) })),
  });
  const { default: choose } = await import('../../plugins/choose/index.ts');
  expect(await outcomeOf([choose({ of: [{ plugin: held() }] })], 'eager')).toMatchObject({
    plugin: 'held',
    hook: 'onBatch',
  });
});
