import { afterPass, forwardFrom, type Model, type NamedTensors, type Pass, rowsOf, tf, weightsBehind } from 'tailmix';
import { linear, linearWeights } from 'tailmix/plugins/bcl';

export const NAME = 'glmc';

/** Groups of rows: the images once more, their partners, and the partners once more. */
export const SECOND = 'second';
export const PARTNER = 'partner';
export const PATCH = 'patch';

/** Inputs of a training step, as the plugin declares them. */
export const ALPHA = 'alpha';
export const MASK = 'mask';

export const own = (part: string): string => `${NAME}/${part}`;
const CONVENTIONAL = own('conventional');
export const PROJECTION = own('projection');
export const PREDICTOR = own('predictor');

/**
 * The model with a second classifier and a projection, trained on two mixtures of each image and its partner: mixed by core
 * (a weighted mean), and with a patch pasted. Its own classifier is the re-balanced one, which predicts. In training
 * `logits` and `features` are those of the first mixture; `extras` have the logits of both classifiers, and what is
 * projected and predicted, for both, `[2B, …]`.
 *
 * @throws {TailmixError} where the model does not say which of its weights are the classifier's.
 */
export function withTwoMixtures(model: Model, dimension: number): Model {
  const last = model.stages.at(-1)!;
  const classifier = weightsBehind(model, last);
  return {
    ...model,
    weights: [
      ...model.weights,
      ...classifier.map((weight) => ({ ...weight, name: own(weight.name) })),
      ...linearWeights(PROJECTION, model.featureSize, dimension),
      ...linearWeights(PREDICTOR, dimension, dimension),
    ],
    forward(all, images, pass) {
      if (!pass.training) return model.forward(all, images, pass);
      let pool: tf.Tensor | undefined;
      const behind: tf.Tensor[] = [];
      const watching: Pass = {
        ...pass,
        atStage(stage, x) {
          const y = pass.atStage(stage, x);
          if (stage === 'input') pool = x;
          if (stage === last) behind.push(y);
          return y;
        },
      };
      const first = model.forward(all, images, watching);
      // The batch norms see one mixture after the other, and average over both.
      const features = pasted(pool!, pass.inputs[own(MASK)]!, pass.groups!);
      const second = forwardFrom(model.forward, afterPass(all, first), { stage: 'input', features }, watching);
      const others: NamedTensors = Object.fromEntries(classifier.map(({ name }) => [name, all[own(name)]!]));
      const conventional = forwardFrom(
        model.forward,
        { ...all, ...others },
        { stage: last, features: tf.concat(behind, 0) },
        pass,
      );
      const projected = linear(PROJECTION, tf.concat([first.features, second.features], 0), all);
      return {
        ...first,
        statistics: { ...first.statistics, ...second.statistics },
        extras: {
          ...first.extras,
          [own('rebalanced')]: tf.concat([first.logits, second.logits], 0),
          [CONVENTIONAL]: conventional.logits,
          [PROJECTION]: projected,
          [PREDICTOR]: linear(PREDICTOR, projected, all),
        },
      };
    },
  };
}

/** Second views with a patch of their partners', where the mask is 0. */
function pasted(
  images: tf.Tensor,
  mask: tf.Tensor,
  groups: Readonly<Record<string, { start: number; size: number }>>,
): tf.Tensor {
  const [second, patch] = [SECOND, PATCH].map((group) => {
    const { start, size } = groups[own(group)]!;
    return rowsOf(images, start, size);
  });
  return second!.mul(mask).add(patch!.mul(tf.sub(1, mask)));
}
