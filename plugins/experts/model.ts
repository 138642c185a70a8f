import { forwardFrom, type Model, type ModelOutputs, type NamedTensors, type Pass, tf, weightsBehind } from 'tailmix';

export const NAME = 'experts';

/** Name of the logits of a plugin's k-th expert among the outputs, k from 1. */
export const logitsOf = (k: number, plugin: string = NAME): string => `${plugin}/${k}`;

/** The last stage that experts share by default: the last two stages before the features are their own. */
export const sharedStage = ({ stages }: Pick<Model, 'stages'>): string => stages.at(-4) ?? stages[0]!;

/**
 * The model with `count` experts: the network up to a stage is shared and runs once, each has all that follows for itself.
 * Its logits are the mean of theirs, which the outputs have too; its features are theirs, one behind another, or the shared
 * ones where the experts are classifiers alone.
 *
 * @param shared - the last stage that they share; `input` makes networks of them that share nothing
 * @param plugin - how names of what is added begin
 * @throws {TailmixError} STAGE_UNKNOWN where the model has no such stage, or does not say where its weights are used.
 */
export function withExperts(
  model: Model,
  { count, shared, plugin = NAME }: { count: number; shared: string; plugin?: string },
): Model {
  /** How the names of the k-th expert's own weights begin; the first has those of the model. */
  const prefixOf = (k: number): string => (k === 1 ? '' : `${plugin}/${k}/`);
  const own = weightsBehind(model, shared);
  const ownNames = new Set(own.map(({ name }) => name));
  const isHead = shared === model.stages.at(-1);
  const others = Array.from({ length: count - 1 }, (_, i) => i + 2);
  const nameOf = (k: number, name: string): string => (ownNames.has(name) ? prefixOf(k) + name : name);

  /** What the k-th expert calculates with, under the names that the model knows. */
  const weightsOf = (k: number, all: NamedTensors): NamedTensors => ({
    ...all,
    ...Object.fromEntries(own.map(({ name }) => [name, all[prefixOf(k) + name]!])),
  });
  const passOf = (k: number, pass: Pass): Pass =>
    pass.fixed
      ? {
          ...pass,
          fixed: new Set(model.weights.map(({ name }) => name).filter((name) => pass.fixed!.has(nameOf(k, name)))),
        }
      : pass;

  return {
    ...model,
    weights: [
      ...model.weights,
      ...others.flatMap((k) => own.map((weight) => ({ ...weight, name: prefixOf(k) + weight.name }))),
    ],
    featureSize: isHead ? model.featureSize : count * model.featureSize,
    forward(all, images, pass) {
      let features: tf.Tensor | undefined;
      const first = model.forward(all, images, {
        ...pass,
        atStage(stage, x) {
          const y = pass.atStage(stage, x);
          if (stage === shared) features = y;
          return y;
        },
      });
      const experts = [
        first,
        ...others.map((k) =>
          forwardFrom(model.forward, weightsOf(k, all), { stage: shared, features: features! }, passOf(k, pass)),
        ),
      ];
      return {
        logits: meanOf(experts.map(({ logits }) => logits)),
        features: isHead
          ? first.features
          : tf.concat(
              experts.map((expert) => expert.features),
              1,
            ),
        statistics: Object.assign(
          {},
          ...experts.map(({ statistics }, i) => renamed(statistics, (name) => nameOf(i + 1, name))),
        ),
        extras: {
          ...first.extras,
          ...Object.fromEntries(experts.map(({ logits }, i) => [logitsOf(i + 1, plugin), logits])),
        },
      };
    },
  };
}

/** Logits of all experts, the first one's first. */
export const expertLogits = ({ extras }: ModelOutputs, count: number, plugin: string = NAME): tf.Tensor[] =>
  Array.from({ length: count }, (_, i) => extras![logitsOf(i + 1, plugin)]!);

const meanOf = (tensors: readonly tf.Tensor[]): tf.Tensor =>
  tensors.reduce((sum, tensor) => sum.add(tensor)).div(tensors.length);

const renamed = (tensors: NamedTensors, nameOf: (name: string) => string): NamedTensors =>
  Object.fromEntries(Object.entries(tensors).map(([name, tensor]) => [nameOf(name), tensor]));
