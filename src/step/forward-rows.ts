import type { Forward, ModelOutputs, Pass } from '../models/types.ts';
import type { NamedTensors } from '../tf.ts';
import { tf } from '../tf.ts';
import { mapValues } from '../util/map-values.ts';
import { groupUnknown, rowsNotSplit } from './errors.ts';
import { stopGradient } from './stop-gradient.ts';

/** What a model gives for the rows of a group. */
export type RowOutputs = Pick<ModelOutputs, 'logits' | 'features'>;

/**
 * A forward pass over the trained rows and those of groups at once: the batch norms see all of them, and trained rows are
 * mixed as ever, wherever that is. In prediction there are no groups, and it is the forward pass.
 *
 * @param names - groups, as `<plugin>/<group>`, in any order
 * @returns `outputs` of the trained rows, `[B, …]`, with the statistics of all; `groups`: of each group, `[B, …]`
 * @throws {TailmixError} STEP_ROWS where a name is no group of the run, or the model mixes nowhere that core knows.
 * @example
 * ```ts
 * hooks.buildModel.tap(name, (forward) => (weights, images, pass) => {
 *   const { outputs, groups } = forwardRows(forward, weights, images, pass, [`${name}/second`]);
 *   …groups[`${name}/second`]?.features
 *   return outputs;
 * });
 * ```
 */
export function forwardRows(
  forward: Forward,
  weights: NamedTensors,
  images: tf.Tensor,
  pass: Pass,
  names: readonly string[],
): { outputs: ModelOutputs; groups: Record<string, RowOutputs> } {
  if (!pass.training) return { outputs: forward(weights, images, pass), groups: {} };
  const ranges = names.map((name) => {
    const range = pass.groups?.[name];
    if (range === undefined) throw groupUnknown(name, Object.keys(pass.groups ?? {}));
    return range;
  });
  const outputs = forward(weights, images, {
    ...pass,
    atStage(stage, features) {
      const reduced = pass.atStage(stage, features);
      if (reduced.shape[0] === features.shape[0]) return reduced;
      return tf.concat([reduced, ...ranges.map(({ start, size }) => rowsOf(features, start, size))], 0);
    },
  });
  const size = ranges[0]?.size ?? outputs.logits.shape[0]!;
  const others = outputs.logits.shape[0]! - size * names.length;
  if (others < size) throw rowsNotSplit(size * (names.length + 1), outputs.logits.shape[0]!);
  const part = (start: number, rows: number): RowOutputs => ({
    logits: rowsOf(outputs.logits, start, rows),
    features: rowsOf(outputs.features, start, rows),
  });
  return {
    outputs: { ...outputs, ...part(0, others) },
    groups: Object.fromEntries(names.map((name, k) => [name, part(others + size * k, size)])),
  };
}

/** Rows `start` to `start + rows` of a tensor, its first axis: `[rows, …]`. */
export const rowsOf = (x: tf.Tensor, start: number, rows: number): tf.Tensor =>
  x.slice([start, ...x.shape.slice(1).map(() => 0)], [rows, ...x.shape.slice(1)]);

/** Weights as a second pass of the same step finds them: statistics as the first one left them, taken as given. */
export const afterPass = (weights: NamedTensors, { statistics }: Pick<ModelOutputs, 'statistics'>): NamedTensors => ({
  ...weights,
  ...mapValues(statistics, (value) => stopGradient(value)),
});
