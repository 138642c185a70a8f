import type { FeatureRows } from '../long-tail/class-means.ts';
import { initialOf } from '../models/initial.ts';
import type { InitialContext, Plugin } from '../plugin.ts';
import { randomStream } from '../random.ts';
import { pluginFailed, returnedWrong } from '../step/errors.ts';
import { describeValue, type Fault, fieldsOf, initialFault } from '../util/fault.ts';
import { beforeSteps, type FeatureEngineOptions, openFeatureEngine } from './feature-engine.ts';
import type { Preparation } from './prepare.ts';

/** What the run's own step is made with. */
type Making = Omit<FeatureEngineOptions, 'train'>;

/**
 * Values that weights begin with, those that plugins compute included: once, where a phase begins. A resumed run has them
 * in its checkpoint.
 *
 * @throws {TailmixError} what a plugin throws, RETURNED_WRONG.
 */
export async function withInitialWeights(
  preparation: Preparation,
  plugins: readonly Plugin[],
  making: Making,
): Promise<Record<string, Float32Array>> {
  const { model, info, start, options } = preparation;
  const computing = options.resume ? [] : plugins.filter(({ definition }) => definition.initialWeights);
  let initial = start.initial;
  for (const { definition, options: own, prepared } of computing) {
    const { name: plugin, initialWeights } = definition;
    const origin = { plugin, hook: 'initialWeights' };
    const before = initial;
    const context: InitialContext = {
      info,
      prepared: prepared?.value,
      model,
      random: (...key) => randomStream(info.seed, plugin, 'initialWeights', ...key),
      valuesOf(name) {
        const spec = model.weights.find((weight) => weight.name === name);
        return spec && initialOf(model.weights, before, info.seed)(spec).slice();
      },
      features: () => featuresOf(preparation, { ...making, program: { ...making.program, initial: before } }),
    };
    const values: unknown = await Promise.resolve()
      .then(() => initialWeights!(context, own))
      .catch((error: unknown) => {
        throw pluginFailed(origin, error);
      });
    const fault = valuesFault(values, model.weights);
    if (fault !== null) throw returnedWrong(origin, fault);
    initial = { ...before, ...(values as Record<string, Float32Array>) };
  }
  return initial;
}

function valuesFault(values: unknown, weights: Preparation['model']['weights']): Fault | null {
  const fields = fieldsOf(values);
  if (fields === null || Array.isArray(values))
    return { expected: 'values by weight name', got: describeValue(values) };
  for (const [name, array] of Object.entries(fields)) {
    const spec = weights.find((weight) => weight.name === name);
    if (spec === undefined) return { part: name, expected: 'a weight of the model', got: 'a name that none has' };
    const fault = initialFault(array, spec.shape);
    if (fault !== null) return { ...fault, part: name };
  }
  return null;
}

/** Features of all training images, in the order of the subset, without augmentation. */
async function* featuresOf(
  { model, data, settings, options: { recordings } }: Preparation,
  making: Making,
): AsyncGenerator<FeatureRows, void, undefined> {
  const train = beforeSteps(settings.train, recordings, making.backend);
  const engine = await openFeatureEngine(model, { ...making, train });
  try {
    for await (const { features, labels } of engine.featuresOf(data.train)) yield { features, labels };
  } finally {
    await engine.close();
  }
}
