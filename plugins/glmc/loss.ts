import { type Loss, rowsOf, stopGradient, tf } from 'tailmix';
import { ALPHA, NAME, own, PREDICTOR, PROJECTION } from './mixtures.ts';

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
