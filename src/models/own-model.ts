import { messageOf, TailmixError } from '../errors.ts';
import { sizeOf } from '../util/shape.ts';
import type { ModelChoice } from './definition.ts';
import { modelGave, modelThrew } from './errors.ts';
import type { ImageTask, Model } from './types.ts';

/**
 * A model of the user's: what is wrong in its module is told by the model's name and not as a fault of tailmix.
 *
 * @throws {TailmixError} MODEL_MODULE, in the model's functions too.
 */
export async function createOwnModel({ definition, options }: ModelChoice, task: ImageTask): Promise<Model> {
  const { name } = definition;
  const named = (call: string, error: unknown): TailmixError =>
    error instanceof TailmixError ? error : modelThrew(name, call, messageOf(error), error);
  const asked = <T>(call: string, answer: () => T): T => {
    try {
      return answer();
    } catch (error) {
      throw named(call, error);
    }
  };
  const model = await (async () => definition.create(options, task))().catch((error: unknown) => {
    throw named('create', error);
  });
  const missing = (['weights', 'stages', 'forward'] as const).filter((field) => model?.[field] === undefined);
  if (missing.length > 0) throw modelGave(name, 'create', 'a model', `one without ${missing.join(', ')}`);
  return {
    ...model,
    weights: model.weights.map((weight) => ({
      ...weight,
      initial(random) {
        const values = asked(`initial of ${weight.name}`, () => weight.initial(random));
        const size = sizeOf(weight.shape);
        if (values.length === size) return values;
        throw modelGave(name, `initial of ${weight.name}`, `${size} values for its shape`, String(values.length));
      },
    })),
    forward(weights, images, pass) {
      const found = asked('forward', () => model.forward(weights, images, pass));
      const shape = found?.logits?.shape ?? [];
      if (shape.length === 2 && shape[1] === task.classes) return found;
      throw modelGave(name, 'forward', `logits of shape [batch, ${task.classes}]`, `[${shape.join(', ')}]`);
    },
  };
}
