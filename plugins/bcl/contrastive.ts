import { oneHot, stopGradient, tf } from 'tailmix';

/**
 * Balanced contrastive loss: the mean over all rows i of −mean over positives p (rows of the class of i but itself, and its
 * prototype) of log exp(s_ip) / Σ_c mean_{k of class c} exp(s_ik), with s = cosine / temperature; i counts in no sum of its
 * own, and each class has its prototype in the batch (Zhu et al. 2022, section 3.2).
 *
 * @param features - `[N, d]`, rows of length 1
 * @param labels - `[N]` int32
 * @param prototypes - `[C, d]`, rows of length 1
 * @returns a scalar
 */
export function balancedContrastiveLoss(
  features: tf.Tensor,
  labels: tf.Tensor,
  prototypes: tf.Tensor,
  temperature: number,
): tf.Tensor {
  const classes = prototypes.shape[0]!;
  const own = oneHot(labels, classes);
  const all = tf.concat([own, tf.eye(classes)], 0);
  const similar = tf.matMul(features, tf.concat([features, prototypes], 0), false, true).div(temperature);
  const others = tf.sub(
    1,
    tf.eye(features.shape[0]!).pad([
      [0, 0],
      [0, classes],
    ]),
  );
  const positive = tf.matMul(own, all, false, true).mul(others);
  // Members of the class of each column, the row itself not counted.
  const members = tf.matMul(all.sum(0, true), all, false, true).sub(positive);
  return positiveLoss(similar, positive, others.div(members));
}

/**
 * Supervised contrastive loss: the mean over all rows i of −mean over positives p (rows of the class of i but itself) of
 * log exp(s_ip) / Σ_{k ≠ i} exp(s_ik), with s = cosine / temperature (Khosla et al. 2020, eq. 2, L_out). A row without a
 * positive counts 0.
 *
 * @param features - `[N, d]`, rows of length 1
 * @param labels - `[N]` int32
 * @param classes - C
 * @returns a scalar
 */
export function supervisedContrastiveLoss(
  features: tf.Tensor,
  labels: tf.Tensor,
  classes: number,
  temperature: number,
): tf.Tensor {
  const own = oneHot(labels, classes);
  const others = tf.sub(1, tf.eye(features.shape[0]!));
  const positive = tf.matMul(own, own, false, true).mul(others);
  return positiveLoss(tf.matMul(features, features, false, true).div(temperature), positive, others);
}

/**
 * Mean over rows of −mean over positives of s − log Σ share · exp(s).
 *
 * @param similar - s, `[N, M]`
 * @param positive - 1 for a positive, else 0, `[N, M]`
 * @param share - what each column counts in the sum, `[N, M]`
 */
function positiveLoss(similar: tf.Tensor, positive: tf.Tensor, share: tf.Tensor): tf.Tensor {
  const shifted = similar.sub(stopGradient(similar.max(1, true)));
  const logProbability = shifted.sub(shifted.exp().mul(share).sum(1, true).log());
  const count = positive.sum(1);
  return logProbability.mul(positive).sum(1).div(count.maximum(1)).mean().neg();
}
