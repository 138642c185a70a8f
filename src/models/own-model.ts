import { messageOf, TailmixError, toError } from '../errors.ts';
import { describeValue, type Fault, fieldsOf, initialFault, isShape } from '../util/fault.ts';
import type { ModelChoice } from './definition.ts';
import { modelGave, modelThrew } from './errors.ts';
import { outputsFault } from './outputs.ts';
import type { ImageTask, Model, WeightSpec } from './types.ts';

/**
 * A model of the user's, made by its definition.
 *
 * @throws {TailmixError} MODEL_MODULE, in the model's functions too.
 */
export const createOwnModel = ({ definition, options }: ModelChoice, task: ImageTask): Promise<Model> =>
  modelOf(() => definition.create(options, task), task, definition.name, 'create');

/** {@link checkedModel} of what a function of the user's gives, now or later. */
export async function modelOf(
  make: () => Model | Promise<Model>,
  task: ImageTask,
  name: string,
  call: string,
): Promise<Model> {
  const model = await (async () => make())().catch((error: unknown) => {
    throw named(name, call, error);
  });
  return checkedModel(model, task, name, call);
}

/**
 * A model of the user's: what is wrong in it is reported by its name and not as a fault of tailmix.
 *
 * @param call - the function that it is from
 * @throws {TailmixError} MODEL_MODULE, in the model's functions too.
 */
export function checkedModel(model: Model, { classes }: ImageTask, name: string, call: string): Model {
  const wrong = modelFault(model);
  if (wrong !== null) throw modelGave(name, call, wrong);
  const asked = <T>(of: string, answer: () => T, faultOf: (found: T) => Fault | null): T => {
    let found: T;
    try {
      found = answer();
    } catch (error) {
      throw named(name, of, error);
    }
    const fault = faultOf(found);
    if (fault !== null) throw modelGave(name, of, fault);
    return found;
  };
  return {
    ...model,
    weights: model.weights.map((weight) => ({
      ...weight,
      initial: (random, weights) =>
        asked(
          `initial of ${weight.name}`,
          () => weight.initial(random, weights),
          (values) => initialFault(values, weight.shape),
        ),
    })),
    forward: (weights, images, pass) =>
      asked(
        'forward',
        () => model.forward(weights, images, pass),
        (outputs) => outputsFault(outputs, weights, { classes, featureSize: model.featureSize }),
      ),
  };
}

function named(model: string, call: string, thrown: unknown): TailmixError {
  const error = toError(thrown);
  return error instanceof TailmixError ? error : modelThrew(model, call, messageOf(error), error);
}

const KINDS = new Set<unknown>(['kernel', 'bias', 'norm', 'statistic', 'state']);

const isSeam = (seam: unknown): boolean => {
  const { name, in: inputs, out } = fieldsOf(seam) ?? {};
  return typeof name === 'string' && [inputs, out].every((length) => Number.isInteger(length));
};

/** What is wrong with a model's fields. */
export function modelFault(model: unknown): Fault | null {
  const { weights, stages, seams = [], featureSize, forward } = (fieldsOf(model) ?? {}) as Partial<Model>;
  const missing = Object.entries({
    weights: Array.isArray(weights),
    stages: Array.isArray(stages) && stages.every((stage) => typeof stage === 'string'),
    seams: Array.isArray(seams) && seams.every(isSeam),
    featureSize: Number.isInteger(featureSize) && featureSize! > 0,
    forward: typeof forward === 'function',
  }).flatMap(([field, isThere]) => (isThere ? [] : [field]));
  if (missing.length > 0) {
    const got =
      fieldsOf(model) === null || Array.isArray(model) ? describeValue(model) : `one without ${missing.join(', ')}`;
    return { expected: 'a model', got };
  }
  const names = new Set<string>();
  for (const [i, spec] of weights!.entries()) {
    const { name, shape, kind, initial, stage } = (fieldsOf(spec) ?? {}) as Partial<WeightSpec>;
    const part = `weights[${i}]`;
    const isRight = typeof name === 'string' && name !== '' && isShape(shape) && KINDS.has(kind);
    if (!isRight || typeof initial !== 'function') {
      return { part, expected: 'a weight { name, shape, kind, initial(random) }', got: describeValue(spec) };
    }
    if (names.has(name)) return { part, expected: 'a name of its own', got: `${JSON.stringify(name)} again` };
    names.add(name);
    if (stage !== undefined && !stages!.includes(stage)) {
      return { part: `${part}.stage`, expected: `one of ${stages!.join(', ')}`, got: describeValue(stage) };
    }
  }
  return null;
}
