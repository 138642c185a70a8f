import { tf } from '../../tf.ts';
import { hasKernel, runKernel } from './registry.ts';

/**
 * Softmax cross-entropy of each row, unreduced.
 * On the native backend one op gives loss and gradient.
 *
 * @param logits - `[batch, classes]`.
 * @param labels - `[batch]`, int32.
 * @returns `[batch]`.
 */
export function softmaxCrossEntropy(logits: tf.Tensor2D, labels: tf.Tensor1D): tf.Tensor1D {
  if (!hasKernel('SparseSoftmaxCrossEntropyWithLogits')) return composedCrossEntropy(logits, labels);
  const ofLogits = tf.customGrad((...[scores, save]) => {
    const [loss, gradient] = runKernel('SparseSoftmaxCrossEntropyWithLogits', { logits: scores as tf.Tensor, labels });
    (save as tf.GradSaveFunc)([gradient!]);
    return { value: loss!, gradFunc: (dy, [saved]) => saved!.mul(dy.expandDims(1)) };
  });
  return ofLogits(logits) as tf.Tensor1D;
}

/** {@link softmaxCrossEntropy} from tfjs's own ops, on any backend. */
export function composedCrossEntropy(logits: tf.Tensor2D, labels: tf.Tensor1D): tf.Tensor1D {
  return tf.logSoftmax(logits).mul(tf.oneHot(labels, logits.shape[1])).sum(1).neg() as tf.Tensor1D;
}
