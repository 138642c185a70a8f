import { oneHot, tf } from 'tailmix';

/** What anchors are compared with. */
export interface Contrasts {
  /** `[R, d]`, rows of length 1. */
  anchors: tf.Tensor;
  /** `[M, d]`; the first R rows are the anchors. */
  contrasts: tf.Tensor;
  /** `[M]`, class of each; −1 for a row that counts nothing. */
  contrastLabels: tf.Tensor;
  /** `[R, C]`, those of the centres, with the prior in them. */
  logits: tf.Tensor;
}

/** Constants of the loss. */
export interface ContrastOptions {
  /** α, what a row of the anchor's class counts where its centre counts 1. */
  alpha: number;
  temperature: number;
  /** Centres' logits are divided by it. */
  centreTemperature: number;
  /** ε, by which the centres' share is smoothed. */
  smooth: number;
}

/**
 * Parametric contrastive loss of each anchor: one softmax over the centres' logits and the cosines with all other rows, and
 * −mean of log-probabilities, in which the centre of the anchor's class weighs 1 and each row of its class α
 * (Cui et al. 2021, the PaCo loss of section 3; with `smooth`, Cui et al. 2022).
 *
 * @param labels - `[R]` int32
 * @returns `[R]`
 */
export function parametricContrast(
  { anchors, contrasts, contrastLabels, logits }: Contrasts,
  labels: tf.Tensor,
  { alpha, temperature, centreTemperature, smooth }: ContrastOptions,
): tf.Tensor {
  const [rows, classes] = logits.shape as [number, number];
  const others = tf
    .sub(
      1,
      tf.eye(rows).pad([
        [0, 0],
        [0, contrasts.shape[0]! - rows],
      ]),
    )
    .mul(contrastLabels.greaterEqual(0).cast('float32'));
  const same = labels.cast('float32').expandDims(1).equal(contrastLabels.expandDims(0)).cast('float32');
  const own = oneHot(labels, classes);
  const centres = own.mul(1 - smooth).add(tf.sub(1, own).mul(smooth / Math.max(1, classes - 1)));
  const target = tf.concat([centres, same.mul(others).mul(alpha)], 1);
  const similar = tf.matMul(anchors, contrasts, false, true).div(temperature);
  const scores = tf.concat([logits.div(centreTemperature), similar], 1);
  const share = tf.concat([tf.onesLike(logits), others], 1);
  const largest = scores.max(1, true);
  const shifted = scores.sub(largest);
  const logProbability = shifted.sub(shifted.exp().mul(share).sum(1, true).log());
  return logProbability.mul(target).sum(1).div(target.sum(1)).neg();
}
