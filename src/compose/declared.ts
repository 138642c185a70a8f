import { modelFault } from '../models/own-model.ts';
import type { Model, Task, WeightSpec } from '../models/types.ts';
import type { Capability, Correction, Plugin, PluginDefinition, PluginState } from '../plugin.ts';
import type { RunInfo } from '../run.ts';
import { forwardFault } from '../step/built.ts';
import { pluginFailed, returnedWrong } from '../step/errors.ts';
import { ownedBy } from '../step/owner.ts';
import type { InputSpec } from '../step/types.ts';
import { describeValue, type Fault, fieldsOf, initialFault, isThenable, sameShape, shapeText } from '../util/fault.ts';
import { declaredLater } from './errors.ts';
import { ignoreOutcome } from './guard.ts';

/**
 * What a part of a plugin's definition gives.
 *
 * @throws {TailmixError} PLUGIN_FAILED, RETURNED_PROMISE, RETURNED_WRONG, naming the plugin and the part.
 */
export function declared<T>(
  plugin: string,
  part: keyof PluginDefinition,
  call: () => T,
  faultOf: (value: T) => Fault | null = () => null,
): T {
  let value: T;
  try {
    value = call();
  } catch (error) {
    throw pluginFailed({ plugin, hook: part }, error);
  }
  if (isThenable(value)) {
    ignoreOutcome(value);
    throw declaredLater(plugin, part);
  }
  const fault = faultOf(value);
  if (fault !== null) throw returnedWrong({ plugin, hook: part }, fault);
  return value;
}

const FUNCTIONS = [
  'apply',
  'corrects',
  'conflicts',
  'inputs',
  'variants',
  'rows',
  'prepare',
  'extendModel',
  'trains',
  'initialWeights',
  'adapt',
] as const;
const LISTS = ['provides', 'requires'] as const;

/**
 * Checks the kinds of a definition's parts, which only TypeScript has checked so far.
 *
 * @throws {TailmixError} RETURNED_WRONG, naming the plugin and the part.
 */
export function checkDefinition({ definition }: Plugin): void {
  const check = (part: keyof PluginDefinition, isRight: (value: unknown) => boolean, expected: string): void => {
    const value: unknown = definition[part];
    const mayMiss = part !== 'apply';
    if (isRight(value) || (mayMiss && value === undefined)) return;
    throw returnedWrong({ plugin: definition.name, hook: part }, { expected, got: describeValue(value) });
  };
  for (const part of FUNCTIONS) check(part, (value) => typeof value === 'function', 'a function');
  for (const part of LISTS) check(part, Array.isArray, 'a list of capabilities');
}

const DTYPES: readonly unknown[] = ['float32', 'int32', 'uint8'] satisfies InputSpec['dtype'][];

/** Inputs that a plugin declares, by their own names. */
export const declaredInputs = ({ definition, options }: Plugin, info: RunInfo): Readonly<Record<string, InputSpec>> =>
  declared(definition.name, 'inputs', () => definition.inputs?.(options, info) ?? {}, inputsFault);

function inputsFault(inputs: unknown): Fault | null {
  const specs = fieldsOf(inputs);
  if (specs === null || Array.isArray(inputs)) return { expected: 'inputs by name', got: describeValue(inputs) };
  for (const [name, spec] of Object.entries(specs)) {
    const { shape, dtype } = fieldsOf(spec) ?? {};
    if (DTYPES.includes(dtype) && Array.isArray(shape) && shape.every(isInputLength)) continue;
    const got = fieldsOf(spec) === null ? describeValue(spec) : JSON.stringify(spec).slice(0, 60);
    const expected = `{ shape, dtype }, lengths whole numbers, 'batch' or 'pool', dtype ${DTYPES.join(' or ')}`;
    return { part: name, expected, got };
  }
  return null;
}

const isInputLength = (length: unknown): boolean =>
  length === 'batch' || length === 'pool' || (Number.isInteger(length) && Number(length) > 0);

/** Variants that a plugin declares. */
export const declaredVariants = (
  { definition, options }: Plugin,
  info: RunInfo,
): Readonly<Record<string, readonly string[]>> =>
  declared(definition.name, 'variants', () => definition.variants?.(options, info) ?? {}, variantsFault);

function variantsFault(variants: unknown): Fault | null {
  const lists = fieldsOf(variants);
  if (lists === null || Array.isArray(variants))
    return { expected: 'lists of values by name', got: describeValue(variants) };
  for (const [name, values] of Object.entries(lists)) {
    const isRight = Array.isArray(values) && values.length > 0 && values.every((value) => typeof value === 'string');
    if (!isRight) return { part: name, expected: 'a list of one text or more', got: describeValue(values) };
  }
  return null;
}

/** What a plugin corrects. */
export const declaredCorrection = ({ definition, options }: Plugin): Correction | null =>
  declared(
    definition.name,
    'corrects',
    () => (definition.corrects ? definition.corrects(options) : null),
    (correction) =>
      correction === null || correction === 'class prior'
        ? null
        : { expected: '"class prior" or null', got: describeValue(correction) },
  );

/** Capabilities that make no sense in addition to a plugin, each with the reason. */
export const declaredConflicts = ({ definition, options }: Plugin): Partial<Record<Capability, string>> =>
  declared(
    definition.name,
    'conflicts',
    () => definition.conflicts?.(options) ?? {},
    (conflicts) => {
      const reasons = fieldsOf(conflicts);
      const isRight = reasons !== null && Object.values(reasons).every((reason) => typeof reason === 'string');
      return isRight ? null : { expected: 'reasons by capability', got: describeValue(conflicts) };
    },
  );

/** What `apply` returned, as state that names its plugin; null where a plugin has none. */
export function declaredState(plugin: string, apply: () => unknown): PluginState | null {
  const value = declared(plugin, 'apply', apply, (state) => {
    const { save, load } = fieldsOf(state) ?? {};
    const isRight = state === undefined || (typeof save === 'function' && typeof load === 'function');
    return isRight ? null : { expected: 'nothing, or state { save, load }', got: describeValue(state) };
  });
  if (value === undefined) return null;
  const state = value as PluginState;
  const at = (part: string) => ({ plugin, hook: 'apply', part });
  const guarded = {
    save: ownedBy(
      at('save'),
      () => state.save(),
      (saved) => jsonFault(saved),
    ),
    load: ownedBy(at('load'), (saved: unknown) => state.load(saved)),
  };
  // What cannot be saved is known before the run, and not when its first checkpoint is due.
  guarded.save();
  return guarded;
}

/** What is wrong with a value that should survive JSON. */
function jsonFault(value: unknown, part?: string): Fault | null {
  const fault = (got: string): Fault => ({ ...(part !== undefined && { part }), expected: 'JSON', got });
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return null;
  if (typeof value === 'number') return Number.isFinite(value) ? null : fault(String(value));
  const isPlain = Array.isArray(value) || [Object.prototype, null].includes(Object.getPrototypeOf(Object(value)));
  if (typeof value !== 'object' || !isPlain)
    return fault(isPlain ? describeValue(value) : `a ${Object(value).constructor.name}`);
  for (const [key, field] of Object.entries(value)) {
    if (field === undefined && !Array.isArray(value)) continue;
    const wrong = jsonFault(field, part === undefined ? key : `${part}.${key}`);
    if (wrong !== null) return wrong;
  }
  return null;
}

/**
 * The model with what a plugin adds to it.
 *
 * @throws {TailmixError} PLUGIN_FAILED, RETURNED_PROMISE, RETURNED_WRONG
 */
export function extendModel(model: Model, { definition, options, prepared }: Plugin, task: Task): Model {
  const { name } = definition;
  if (!definition.extendModel) return model;
  const given = { ...model, forward: ownedBy(null, model.forward) };
  const extended = declared(
    name,
    'extendModel',
    () => definition.extendModel!(given, options, task, prepared?.value),
    (found) => modelFault(found) ?? addedFault(name, given.weights, found.weights),
  );
  const at = (part: string) => ({ plugin: name, hook: 'extendModel', part });
  const before = new Set(model.weights.map(({ initial }) => initial));
  return {
    ...extended,
    weights: extended.weights.map((weight) =>
      before.has(weight.initial)
        ? weight
        : {
            ...weight,
            initial: ownedBy(at(`initial of ${weight.name}`), weight.initial, (values) =>
              initialFault(values, weight.shape),
            ),
          },
    ),
    forward: ownedBy(
      at('forward'),
      extended.forward,
      forwardFault({ classes: task.classes, featureSize: extended.featureSize }),
    ),
  };
}

/** What is wrong with the weights of an extended model: names of added ones, and those that were there. */
function addedFault(plugin: string, before: readonly WeightSpec[], after: readonly WeightSpec[]): Fault | null {
  const names = new Set(before.map(({ name }) => name));
  const added = after.find(({ name }) => !names.has(name) && !name.startsWith(`${plugin}/`));
  if (added)
    return {
      part: 'weights',
      expected: `names of added weights that begin with "${plugin}/"`,
      got: JSON.stringify(added.name),
    };
  const found = new Map(after.map((weight) => [weight.name, weight]));
  for (const { name, shape } of before) {
    const now = found.get(name)?.shape;
    if (now && sameShape(now, shape)) continue;
    const got = now ? shapeText(now) : 'none';
    return { part: 'weights', expected: `${JSON.stringify(name)} of the model to stay, ${shapeText(shape)}`, got };
  }
  return null;
}

/** Weights of the model that plugins for fine-tuning leave trained; null where there is none of them. */
export function declaredTrained(plugins: readonly Plugin[], model: Model): ReadonlySet<string> | null {
  const known = new Set(model.weights.map(({ name }) => name));
  const tuners = plugins.filter(({ definition }) => definition.trains);
  const names = tuners.flatMap(({ definition, options }) =>
    declared(
      definition.name,
      'trains',
      () => definition.trains!(model, options),
      (found) => {
        if (!Array.isArray(found)) return { expected: 'a list of weights', got: describeValue(found) };
        const other = found.find((name) => !known.has(name));
        return other === undefined ? null : { expected: 'weights of the model', got: describeValue(other) };
      },
    ),
  );
  return tuners.length === 0 ? null : new Set(names);
}
