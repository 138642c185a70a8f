import { oneHot, softmaxCrossEntropy, stopGradient, tf } from 'tailmix';

/**
 * 1 for the `count` classes of a row that its network takes for most likely, its own class always among them, else 0
 * (hard category mining, Li et al. 2022, section 3.3).
 *
 * @param logits - `[B, C]`
 * @param labels - `[B]` int32
 * @returns `[B, C]`, without gradient
 */
export function hardClasses(logits: tf.Tensor, labels: tf.Tensor, count: number): tf.Tensor {
  const ranked = stopGradient(logits).add(oneHot(labels, logits.shape[1]!).mul(FIRST));
  const { values } = tf.topk(ranked, count);
  return ranked.greaterEqual(values.min(1, true)).cast('float32');
}

/** More than logits differ, so that a row's own class ranks first. */
const FIRST = 1e6;

/**
 * `1/(K − 1) · Σ_{i≠j} KL(p_j ‖ p_i)`, the mean over the rows: each network learns from all others, and none is taken as
 * given (balanced online distillation, Li et al. 2022, section 3.2, as in the authors' code).
 *
 * @param logits - `[B, C]` of each of K networks
 */
export function mutualDivergence(logits: readonly tf.Tensor[]): tf.Tensor {
  const logs = logits.map((z) => tf.logSoftmax(z));
  const divergences = logs.flatMap((q, i) =>
    logs.filter((_, j) => j !== i).map((p) => p.exp().mul(p.sub(q)).sum(1).mean()),
  );
  return tf.addN(divergences).div(logits.length - 1);
}

/**
 * Cross-entropy of logits that are 0 outside of the hard classes (the authors' code: zeros stay in the softmax), summed over
 * the networks: `[B]`.
 *
 * @param mask - `[B, C]`
 */
export const hardCrossEntropy = (logits: readonly tf.Tensor[], mask: tf.Tensor, labels: tf.Tensor): tf.Tensor =>
  tf.addN(logits.map((z) => softmaxCrossEntropy(z.mul(mask), labels)));
