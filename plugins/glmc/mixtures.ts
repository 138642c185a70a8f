import {
  afterPass,
  forwardFrom,
  type Loss,
  type Model,
  type NamedTensors,
  type Pass,
  rowsOf,
  stopGradient,
  tf,
  weightsBehind,
} from 'tailmix';
import { linear, linearWeights } from 'tailmix/plugins/bcl';

export const NAME = 'glmc';

/** Groups of rows: the images once more, their partners, and the partners once more. */
export const SECOND = 'second';
export const PARTNER = 'partner';
export const PATCH = 'patch';

/** Inputs of a training step, as the plugin declares them. */
export const ALPHA = 'alpha';
export const MASK = 'mask';

const own = (part: string): string => `${NAME}/${part}`;
const CONVENTIONAL = own('conventional');
const PROJECTION = own('projection');
const PREDICTOR = own('predictor');

/**
 * −cos(p_i, z_i), the mean over the rows, z being taken as given (Du et al. 2023, section 3.2; SimSiam's loss).
 *
 * @param p - `[B, d]`, predicted
 * @param z - `[B, d]`, projected
 */
export function negativeCosine(p: tf.Tensor, z: tf.Tensor): tf.Tensor {
  const unit = (x: tf.Tensor): tf.Tensor => x.mul(x.square().sum(1, true).maximum(1e-24).rsqrt());
  return unit(p)
    .mul(unit(stopGradient(z)))
    .sum(1)
    .mean()
    .neg();
}

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

/**
 * `α·(L(z_1) + L(z_2)) + (1 − α)·(L_w(z̃_1) + L_w(z̃_2)) + factor·L_sim` (Du et al. 2023, section 3.3, as in the authors' code):
 * z of the conventional classifier, z̃ of the re-balanced one, for both mixtures; L_w weighs each label by its class, and
 * L_sim predicts the projection of one mixture from the other. Both mixtures have the labels and label weights of the first.
 *
 * @param classWeights - `[C]`
 * @param factor - of the consistency
 */
export function cumulative(loss: Loss, classWeights: Float64Array, factor: number): Loss {
  const half = (x: tf.Tensor, k: 0 | 1): tf.Tensor => rowsOf(x, k * (x.shape[0]! / 2), x.shape[0]! / 2);
  const scoredOf =
    (part: 'rebalanced' | 'conventional', k: 0 | 1): Loss['scored'][string] =>
    ({ extras }, { inputs }) => {
      const alpha = inputs[own(ALPHA)]!;
      const shareOf = (labels: tf.Tensor): tf.Tensor =>
        part === 'conventional'
          ? alpha
          : tf.gather(tf.tensor1d(Array.from(classWeights)), labels).mul(tf.sub(1, alpha));
      return {
        logits: half(extras![own(part)]!, k),
        weight: inputs.weight!.mul(shareOf(inputs.labels!)),
        pairWeight: inputs.pairWeight!.mul(shareOf(inputs.pairLabels!)),
      };
    };
  return {
    ...loss,
    scored: {
      [own('conventional/mixed')]: scoredOf('conventional', 0),
      [own('conventional/pasted')]: scoredOf('conventional', 1),
      [own('rebalanced/mixed')]: scoredOf('rebalanced', 0),
      [own('rebalanced/pasted')]: scoredOf('rebalanced', 1),
    },
    penalties: {
      ...loss.penalties,
      [NAME]: ({ extras }) => {
        const [p, z] = [extras![PREDICTOR]!, extras![PROJECTION]!];
        return negativeCosine(half(p, 0), half(z, 1))
          .add(negativeCosine(half(p, 1), half(z, 0)))
          .mul(factor);
      },
    },
  };
}
