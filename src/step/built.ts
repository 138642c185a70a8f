import type { Hooks } from '../hooks.ts';
import { type OutputSizes, outputsFault } from '../models/outputs.ts';
import type { Forward, Pass } from '../models/types.ts';
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
import { adoptFunction, type FaultOf, fieldsDue } from './adopted.ts';
import { adoptLoss, rowArrayFault } from './built-loss.ts';
import { returnedWrong } from './errors.ts';
import { type Origin, ownedBy } from './owner.ts';
import type { Gradients, Loss, MixMask, Predict, SlotSpec, Update } from './types.ts';

/** Hooks whose taps return functions of the step, and what these are. */
interface Built {
  buildModel: Forward;
  buildLoss: Loss;
  buildMask: MixMask;
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
      return adoptLoss(origin, value, before as Loss, sizes);
    case 'buildMask':
      return adoptFunction(origin, value, '(weights, pass) → masks', maskFault);
    case 'buildGradients':
      return adoptFunction(origin, value, '(weights, pass) → backward', backwardFault(sizes));
    case 'buildUpdate':
      return adoptUpdate(origin, value);
    case 'buildPrediction':
      return adoptFunction(origin, value, '(weights, slots, images, pass) → logits', predictFault(sizes));
  }
}

export const forwardFault =
  (sizes: OutputSizes): FaultOf<Forward> =>
  (outputs, [weights]) =>
    outputsFault(outputs, weights, sizes);

const maskFault: FaultOf<MixMask> = (masks, [, { inputs }]) => {
  const [, height, width] = inputs.images!.shape;
  return tensorFault(masks, 'batch, height, width, 1', [inputs.labels!.shape[0]!, height!, width!, 1]);
};

const backwardFault =
  (sizes: OutputSizes): FaultOf<Gradients> =>
  (backward, [weights, pass]) => {
    const fields = fieldsOf(backward);
    if (fields === null || isThenable(backward)) {
      return {
        expected: '{ loss, penalties, figures, perSample, outputs, gradients }',
        got: describeValue(backward),
      };
    }
    return (
      tensorFault(fields.loss, '', [], { part: 'loss' }) ??
      scalarsFault(fields.penalties, 'penalties') ??
      scalarsFault(fields.figures, 'figures') ??
      perSampleFault(fields.perSample, pass) ??
      within('outputs', outputsFault(fields.outputs, weights, sizes)) ??
      namedFault(fields.gradients, 'gradients', weights)
    );
  };

function scalarsFault(value: unknown, part: 'penalties' | 'figures'): Fault | null {
  const scalars = fieldsOf(value);
  if (scalars === null) return { part, expected: 'scalars by plugin name', got: describeValue(value) };
  const faults = Object.entries(scalars).map(([name, scalar]) =>
    tensorFault(scalar, '', [], { part: `${part}.${name}` }),
  );
  return faults.find((fault) => fault !== null) ?? null;
}

function perSampleFault(value: unknown, pass: Pass): Fault | null {
  const arrays = fieldsOf(value);
  if (arrays === null) return { part: 'perSample', expected: 'arrays by name', got: describeValue(value) };
  const faults = Object.entries(arrays).map(([name, array]) => within(`perSample.${name}`, rowArrayFault(array, pass)));
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
