import type { Model, WeightSpec } from '../../src/models/types.ts';
import { tf } from '../../src/tf.ts';
import { describeFaults, type Fault, fail } from '../support/fault-table.ts';
import { type FaultyParts, faulty, tapping } from '../support/faulty.ts';

const part = (name: keyof FaultyParts, value: unknown) => () => faulty({ [name]: value });
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

const declarations: Fault[] = [
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
  [
    'an input that is nothing',
    part('inputs', () => ({ noise: undefined })),
    'inputs',
    `inputs: noise: expected { shape, dtype }, lengths whole numbers, 'batch' or 'pool', dtype float32 or int32 or uint8; got undefined.`,
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
  ['rows throws', part('rows', fail), 'rows', 'rows: boom', 'PLUGIN_FAILED'],
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

describeFaults('what a plugin declares', declarations);
