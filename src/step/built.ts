import type { Hooks } from '../hooks.ts';
import { type OutputSizes, outputsFault } from '../models/outputs.ts';
import type { Forward } from '../models/types.ts';
import {
  describeValue,
  type Fault,
  fieldsOf,
  initialFault,
  isShape,
  isThenable,
  namedFault,
  tensorFault,
} from '../util/fault.ts';
import { mapValues } from '../util/map-values.ts';
import { returnedWrong } from './errors.ts';
import { isOwned, type Origin, ownedBy } from './owner.ts';
import type { Gradients, Loss, Predict, SlotSpec, Update } from './types.ts';

/** Hooks whose taps return functions of the step, and what these are. */
interface Built {
  buildModel: Forward;
  buildLoss: Loss;
  buildGradients: Gradients;
  buildUpdate: Update;
  buildPrediction: Predict;
}

/** Whether a hook's taps return functions of the step. */
export const isBuildHook = (hook: keyof Hooks): hook is keyof Built => hook.startsWith('build');

/**
 * What a tap of a `build…` hook returned, as functions that name their plugin and check what they give: once a recording
 * in the captured step, and in each eager step. Functions that the tap passed on belong to somebody else and stay.
 *
 * @param before - what the tap was given
 * @throws {TailmixError} RETURNED_WRONG where it is not made of the functions that are due.
 */
export function adopt(
  { plugin, hook }: { plugin: string; hook: keyof Built },
  value: unknown,
  { before, sizes }: { before: unknown; sizes: OutputSizes },
): Built[keyof Built] {
  const origin = { plugin, hook };
  switch (hook) {
    case 'buildModel':
      return adoptFunction(origin, value, '(weights, images, pass) → outputs', forwardFault(sizes));
    case 'buildLoss':
      return adoptLoss(origin, value, before as Loss);
    case 'buildGradients':
      return adoptFunction(origin, value, '(weights, pass) → backward', backwardFault(sizes));
    case 'buildUpdate':
      return adoptUpdate(origin, value);
    case 'buildPrediction':
      return adoptFunction(origin, value, '(weights, slots, images, pass) → logits', predictFault(sizes));
  }
}

/** What is wrong with a result, given what the function was called with. */
type FaultOf<Fn extends (...args: never[]) => unknown> = (result: ReturnType<Fn>, args: Parameters<Fn>) => Fault | null;

/** @param self - the object that the function is a method of */
function adoptFunction<Fn extends (...args: never[]) => unknown>(
  origin: Origin,
  value: unknown,
  signature: string,
  faultOf: FaultOf<Fn>,
  self?: object,
): Fn {
  if (typeof value !== 'function') {
    throw returnedWrong(origin, { expected: `a function ${signature}`, got: describeValue(value) });
  }
  const fn = self === undefined || isOwned(value) ? value : value.bind(self);
  return ownedBy(origin, fn as Fn, faultOf);
}

/** The fields of what a tap returned, which should be an object of functions. */
function fieldsDue(origin: Origin, value: unknown, expected: string): Record<string, unknown> {
  const fields = typeof value === 'object' ? fieldsOf(value) : null;
  if (fields === null) throw returnedWrong(origin, { expected, got: describeValue(value) });
  return fields;
}

export const forwardFault =
  (sizes: OutputSizes): FaultOf<Forward> =>
  (outputs, [weights]) =>
    outputsFault(outputs, weights, sizes);

function adoptLoss(origin: Origin, value: unknown, before: Loss): Loss {
  const loss = fieldsDue(origin, value, 'a loss { adjustLogits, termLoss, penalties }');
  const at = (part: string): Origin => ({ ...origin, part });
  const penalties = fieldsDue(at('penalties'), loss.penalties, 'functions by plugin name');
  const lost = Object.keys(before.penalties).find((name) => !(name in penalties));
  if (lost !== undefined) {
    const [expected, got] = [`the penalty of ${lost} to stay`, 'penalties without it'];
    throw returnedWrong(origin, { expected, got, cure: 'Spread those before: { ...loss.penalties, … }.' });
  }
  return {
    adjustLogits: adoptFunction<Loss['adjustLogits']>(
      at('adjustLogits'),
      loss.adjustLogits,
      '(logits, labels, pass) → logits',
      (logits, [given]) => tensorFault(logits, 'batch, C', given.shape),
      loss,
    ),
    termLoss: adoptFunction<Loss['termLoss']>(
      at('termLoss'),
      loss.termLoss,
      '(logits, labels, pass) → a loss for each row',
      (losses, [, labels]) =>
        tensorFault(losses, 'batch', labels.shape, {
          cure: 'It gives a loss for each row; core weights and reduces them.',
        }),
      loss,
    ),
    penalties: mapValues(penalties, (penalty, name) =>
      adoptFunction<Loss['penalties'][string]>(
        at(`penalties.${name}`),
        penalty,
        '(outputs, weights, pass) → a scalar',
        (scalar) => tensorFault(scalar, '', [], { cure: 'Reduce it, for example with .mean().' }),
        penalties,
      ),
    ),
  };
}

const backwardFault =
  (sizes: OutputSizes): FaultOf<Gradients> =>
  (backward, [weights]) => {
    const fields = fieldsOf(backward);
    if (fields === null || isThenable(backward)) {
      return { expected: '{ loss, penalties, outputs, gradients }', got: describeValue(backward) };
    }
    return (
      tensorFault(fields.loss, '', [], { part: 'loss' }) ??
      scalarsFault(fields.penalties) ??
      within('outputs', outputsFault(fields.outputs, weights, sizes)) ??
      namedFault(fields.gradients, 'gradients', weights)
    );
  };

function scalarsFault(penalties: unknown): Fault | null {
  const scalars = fieldsOf(penalties);
  if (scalars === null) return { part: 'penalties', expected: 'scalars by plugin name', got: describeValue(penalties) };
  const faults = Object.entries(scalars).map(([name, scalar]) =>
    tensorFault(scalar, '', [], { part: `penalties.${name}` }),
  );
  return faults.find((fault) => fault !== null) ?? null;
}

const within = (parent: string, fault: Fault | null): Fault | null =>
  fault && { ...fault, part: fault.part === undefined ? parent : `${parent}.${fault.part}` };

function adoptUpdate(origin: Origin, value: unknown): Update {
  const update = fieldsDue(origin, value, 'an update { slots, apply }');
  const at = (part: string): Origin => ({ ...origin, part });
  const slots = adoptFunction<Update['slots']>(at('slots'), update.slots, '(trained, all) → slots', () => null, update);
  return {
    slots: slots === update.slots ? slots : ownedSlots(at('slots'), slots),
    apply: adoptFunction<Update['apply']>(
      at('apply'),
      update.apply,
      '(weights, slots, gradients, pass) → { weights, slots }',
      (next, [weights, before]) => {
        const fields = fieldsOf(next);
        if (fields === null) return { expected: '{ weights, slots }', got: describeValue(next) };
        return namedFault(fields.weights, 'weights', weights) ?? namedFault(fields.slots, 'slots', before);
      },
      update,
    ),
  };
}

/** A list of slots whose initial values are checked too. */
const ownedSlots = (origin: Origin, slots: Update['slots']): Update['slots'] =>
  ownedBy<Update['slots']>(origin, (trained, all) => {
    const specs = slots(trained, all);
    const taken = new Set(all.map(({ name }) => name));
    const fault = slotsFault(specs, taken);
    if (fault !== null) throw returnedWrong(origin, fault);
    return specs.map((spec) => ({
      ...spec,
      initial: ownedBy({ ...origin, part: `initial of ${JSON.stringify(spec.name)}` }, spec.initial, (values) =>
        initialFault(values, spec.shape),
      ),
    }));
  });

function slotsFault(specs: unknown, taken: ReadonlySet<string>): Fault | null {
  if (!Array.isArray(specs)) return { expected: 'a list of slots', got: describeValue(specs) };
  const names = new Set<string>();
  for (const [i, spec] of specs.entries()) {
    const { name, shape, initial } = (fieldsOf(spec) ?? {}) as Partial<SlotSpec>;
    const part = `[${i}]`;
    if (typeof name !== 'string' || name === '' || !isShape(shape) || typeof initial !== 'function') {
      return { part, expected: 'a slot { name, shape, initial(weights) }', got: describeValue(spec) };
    }
    if (taken.has(name)) return { part, expected: 'a name that no weight has', got: JSON.stringify(name) };
    if (names.has(name)) return { part, expected: 'a name that no other slot has', got: JSON.stringify(name) };
    names.add(name);
  }
  return null;
}

const predictFault =
  ({ classes }: OutputSizes): FaultOf<Predict> =>
  (logits, [, , images]) =>
    tensorFault(logits, 'batch, C', [images.shape[0]!, classes]);
