import type { NamedTensors, tf } from '../tf.ts';
import { fromUnused, stageUnknown, weightWithoutStage } from './errors.ts';
import type { Forward, Model, ModelOutputs, Pass, WeightSpec } from './types.ts';

/** Parts of a network in order, each named for the stage that ends with it. */
export type Parts = readonly (readonly [stage: string, part: (x: tf.Tensor) => tf.Tensor])[];

/**
 * Runs the parts of a network one after another; after each, and at `input` before the first, features go through
 * `pass.atStage`. Begins behind the stage of `pass.from`, where the pass has one.
 *
 * @throws {TailmixError} STAGE_UNKNOWN where there is no such stage.
 */
export function throughStages({ atStage, from }: Pass, images: tf.Tensor, parts: Parts): tf.Tensor {
  const run = (x: tf.Tensor, [stage, part]: Parts[number]): tf.Tensor => atStage(stage, part(x));
  if (!from || from.stage === INPUT) return parts.reduce(run, from ? from.features : atStage(INPUT, images));
  const before = parts.findIndex(([stage]) => stage === from.stage);
  if (before < 0) throw stageUnknown(from.stage, [INPUT, ...parts.map(([stage]) => stage)]);
  return parts.slice(before + 1).reduce(run, from.features);
}

const INPUT = 'input';

/**
 * A forward pass that begins behind a stage, with features there in the place of images: nothing before it is computed, and
 * `pass.atStage` is called for the stages behind it alone.
 *
 * @param from - the stage and its features, as `pass.atStage` gave them in another pass
 * @throws {TailmixError} PASS_FROM for a model that begins at its images all the same.
 */
export function forwardFrom(
  forward: Forward,
  weights: NamedTensors,
  { stage, features }: NonNullable<Pass['from']>,
  pass: Pass,
): ModelOutputs {
  let isUsed = false;
  const from = {
    stage,
    get features() {
      isUsed = true;
      return features;
    },
  };
  const outputs = forward(weights, features, { ...pass, from });
  if (!isUsed) throw fromUnused(stage);
  return outputs;
}

/** Weights that belong to the part of a network that ends with a stage. */
export const ofStage = (stage: string, weights: readonly WeightSpec[]): WeightSpec[] =>
  weights.map((weight) => ({ ...weight, stage }));

/**
 * Weights that are used behind a stage only: those of later stages, and the classifier's.
 *
 * @throws {TailmixError} STAGE_UNKNOWN where the model has no such stage, or does not say of a weight where it is used.
 */
export function weightsBehind({ name, weights, stages }: Model, stage: string): WeightSpec[] {
  const last = stages.indexOf(stage);
  if (last < 0) throw stageUnknown(stage, stages);
  return weights.filter((weight) => {
    if (weight.name.startsWith('classifier/')) return true;
    if (weight.stage === undefined) throw weightWithoutStage(name, weight.name);
    return stages.indexOf(weight.stage) > last;
  });
}
