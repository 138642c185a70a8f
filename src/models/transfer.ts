import { randomStream } from '../random.ts';
import type { Snapshot } from '../run.ts';
import { prefixOf } from '../util/glob.ts';
import { initMismatch, nothingTrained, type WeightDifference, weightsUnknown } from './errors.ts';
import { isTrained } from './kinds.ts';
import type { Model, WeightSpec } from './types.ts';

/** The word for every weight but the classifier's. */
const BACKBONE = 'backbone';
const CLASSIFIER = 'classifier';

const begins = (name: string, prefix: string): boolean => prefixOf(prefix).test(name);

/** A model before plugins added to it, and after. */
export interface ExtendedModel {
  base: Model;
  model: Model;
}

/**
 * Weights and statistics that an option such as `model.freeze` names.
 *
 * @param wanted - `backbone` (of the model before plugins added to it), or prefixes of names, in which `*` is any characters
 *   but `/`: `classifier`, `stage3/block*`.
 * @param option - its path, for messages
 * @throws {TailmixError} MODEL_WEIGHTS when an entry names none.
 */
export function selectWeights({ base, model }: ExtendedModel, wanted: readonly string[], option: string): Set<string> {
  const backbone = base.weights.map(({ name }) => name).filter((name) => !begins(name, CLASSIFIER));
  const all = model.weights.map(({ name }) => name);
  return new Set(
    wanted.flatMap((entry) => {
      const found = all.filter((name) => (entry === BACKBONE ? backbone.includes(name) : begins(name, entry)));
      if (found.length === 0) throw weightsUnknown(option, entry, [BACKBONE, ...firstParts(all)]);
      return found;
    }),
  );
}

/** Whether an entry of an option such as `model.freeze` names weights of a model before its classifier. */
export const namesBackbone = ({ weights }: Model, entry: string): boolean =>
  entry === BACKBONE || weights.some(({ name }) => !begins(name, CLASSIFIER) && begins(name, entry));

const firstParts = (names: readonly string[]): string[] => [...new Set(names.map((name) => name.split('/')[0]!))];

/**
 * Weights that are not trained, and statistics that stay.
 *
 * @param trained - weights of the backbone that are trained where the others are not; null: all
 * @throws {TailmixError} MODEL_WEIGHTS, MODEL_FROZEN when nothing is left to train.
 */
export function frozenWeights(
  models: ExtendedModel,
  { freeze, frozenNorm }: { freeze: readonly string[]; frozenNorm: 'batch' | 'running' | null },
  trained: ReadonlySet<string> | null = null,
): { frozen: Set<string>; fixed: Set<string> } {
  const frozen = selectWeights(models, freeze, 'model.freeze');
  if (trained !== null) {
    for (const { name } of models.base.weights) if (!begins(name, CLASSIFIER) && !trained.has(name)) frozen.add(name);
  }
  if (!models.model.weights.some((weight) => isTrained(weight, frozen))) {
    throw nothingTrained(freeze);
  }
  const statistics = models.model.weights.filter(({ kind, name }) => kind === 'statistic' && frozen.has(name));
  return { frozen, fixed: new Set(frozenNorm === 'running' ? statistics.map(({ name }) => name) : []) };
}

/**
 * Values to start from: those of a snapshot by name, and anew what is reset, from streams of its own (the backbone was
 * trained with a head that began at the usual draw). What a plugin added and the snapshot lacks is left to be drawn.
 *
 * @param source - for messages.
 * @throws {TailmixError} MODEL_WEIGHTS, INIT_MISMATCH.
 */
export function startValues(
  models: ExtendedModel,
  { state, weights }: Pick<Snapshot, 'state' | 'weights'>,
  { source, reset, seed }: { source: string; reset: readonly string[]; seed: number },
): Record<string, Float32Array> {
  const shapes = Object.fromEntries(weights.map((name) => [name, state[name]!.shape]));
  const { taken } = checkStart(models, shapes, { source, reset });
  return {
    ...Object.fromEntries(taken.map(({ name }) => [name, state[name]!.values])),
    ...drawnAnew(models, { reset, seed }),
  };
}

/**
 * Values of what is reset, from streams of their own; state begins as in a new run.
 *
 * @throws {TailmixError} MODEL_WEIGHTS.
 */
export function drawnAnew(
  models: ExtendedModel,
  { reset, seed }: { reset: readonly string[]; seed: number },
): Record<string, Float32Array> {
  const drawn = selectWeights(models, reset, 'model.reset');
  return Object.fromEntries(
    models.model.weights
      .filter(({ name, kind }) => drawn.has(name) && kind !== 'state')
      .map(({ name, initial }) => [name, initial(randomStream(seed, 'reset', name))]),
  );
}

/**
 * Which weights are taken from a source, for a model that starts from it.
 *
 * @param shapes - of the source's weights and statistics, by name.
 * @throws {TailmixError} MODEL_WEIGHTS, INIT_MISMATCH.
 */
export function checkStart(
  models: ExtendedModel,
  shapes: Readonly<Record<string, readonly number[]>>,
  { source, reset }: { source: string; reset: readonly string[] },
): { taken: WeightSpec[] } {
  const { base, model } = models;
  const drawn = selectWeights(models, reset, 'model.reset');
  const own = new Set(base.weights.map(({ name }) => name));
  const shapeOf = (name: string) => (Object.hasOwn(shapes, name) ? shapes[name] : undefined);
  const taken = model.weights.filter(({ name }) => !drawn.has(name) && (own.has(name) || shapeOf(name) !== undefined));
  const known = new Set([...own, ...model.weights.map(({ name }) => name)]);
  const differences: WeightDifference[] = [
    ...taken
      .filter(({ name, shape }) => shapeOf(name)?.join() !== shape.join())
      .map(({ name, shape }) => ({ name, expected: shape, got: shapeOf(name) ?? null })),
    ...Object.keys(shapes)
      .filter((name) => !known.has(name) && !reset.some((entry) => begins(name, entry)))
      .map((name) => ({ name, expected: null, got: shapes[name]! })),
  ];
  if (differences.length > 0) throw initMismatch(source, model.name, differences);
  return { taken };
}
