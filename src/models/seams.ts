import type { NamedTensors, tf } from '../tf.ts';
import { globOf } from '../util/glob.ts';
import { seamUnknown } from './errors.ts';
import type { Layer } from './layers.ts';
import { ofStage } from './stages.ts';
import type { Model, Pass, Seam, WeightSpec } from './types.ts';

/** What a part of the network computes. */
export type Part = (x: tf.Tensor) => tf.Tensor;

/**
 * A function in the place of a part. It gives what the part would: a tensor of the same shape. Nearly always it calls
 * `part(x)`, and adds to it or changes it.
 */
export type Wrap = (part: Part, x: tf.Tensor, weights: NamedTensors, pass: Pass) => tf.Tensor;

/** Runs a part of a network at its seam: `part(x)`, or what plugins put there. A model calls it in `forward`. */
export const atSeam = ({ at }: { at?: Pass['at'] | undefined }, name: string, x: tf.Tensor, part: Part): tf.Tensor =>
  at ? at(name, x, part) : part(x);

/** A layer that may be wrapped under a name. */
export const seam = ({ apply, ...layer }: Layer, point: Seam): Layer => ({
  ...layer,
  seams: [point, ...(layer.seams ?? [])],
  apply: (x, flow) => atSeam(flow, point.name, x, (y) => apply(y, flow)),
});

/**
 * The seams of a model that patterns name, in the model's order. `*` stands for any characters but `/`:
 * `stage4/block*`.
 *
 * @throws {TailmixError} SEAM_UNKNOWN where a pattern names none.
 */
export function selectSeams({ name, seams = [] }: Model, patterns: readonly string[]): Seam[] {
  const globs = patterns.map(globOf);
  const unknown = patterns.find((_, i) => !seams.some((point) => globs[i]!.test(point.name)));
  if (unknown !== undefined) throw seamUnknown(name, unknown, kindsOf(seams));
  return seams.filter((point) => globs.some((glob) => glob.test(point.name)));
}

/** Names of seams, with `*` for the numbers of stages and blocks. */
const kindsOf = (seams: readonly Seam[]): string[] => [
  ...new Set(seams.map(({ name }) => name.replaceAll(/(?<=stage|block)\d+/g, '*'))),
];

/**
 * The model with functions around some of its parts. Where several plugins wrap one part, the later of them in the
 * config is the outer one.
 *
 * @param wraps - by the name of the seam
 */
export function wrapSeams(model: Model, wraps: Readonly<Record<string, Wrap>>): Model {
  return {
    ...model,
    forward: (weights, images, pass) =>
      model.forward(weights, images, {
        ...pass,
        at(name, x, part) {
          const wrap = Object.hasOwn(wraps, name) ? wraps[name] : undefined;
          return atSeam(pass, name, x, wrap ? (y) => wrap(part, y, weights, pass) : part);
        },
      }),
  };
}

/** What a plugin puts at a seam. */
export interface Extension {
  /** Weights of its own. */
  weights: readonly WeightSpec[];
  wrap: Wrap;
}

/** The model with an extension at each of some seams: its weights added, of the stage that the part is in, its parts wrapped. */
export function extendSeams(model: Model, seams: readonly Seam[], extend: (point: Seam) => Extension): Model {
  const extensions = seams.map((point) => ({ name: point.name, ...extend(point) }));
  const wraps = Object.fromEntries(extensions.map(({ name, wrap }) => [name, wrap]));
  const added = extensions.flatMap(({ name, weights }) => {
    const stage = model.weights.find((weight) => weight.name.startsWith(`${name}/`))?.stage;
    return stage === undefined ? weights : ofStage(stage, weights);
  });
  return { ...wrapSeams(model, wraps), weights: [...model.weights, ...added] };
}
