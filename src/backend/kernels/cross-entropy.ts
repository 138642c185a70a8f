import { tf } from '../../tf.ts';
import { oneHot } from './one-hot.ts';
import { customGradient, hasKernel, runKernel } from './registry.ts';

/**
 * Softmax cross-entropy of each row, unreduced.
 * On the native backend one op gives loss and gradient.
 *
 * @param logits - `[batch, classes]`.
 * @param labels - `[batch]`, int32.
 * @returns `[batch]`.
 */
export function softmaxCrossEntropy(logits: tf.Tensor, labels: tf.Tensor): tf.Tensor {
  if (!hasKernel('SparseSoftmaxCrossEntropyWithLogits')) return composedCrossEntropy(logits, labels);
  const ofLogits = customGradient(([scores], save) => {
    const [loss, gradient] = runKernel('SparseSoftmaxCrossEntropyWithLogits', { logits: scores!, labels });
    save([gradient!]);
    return { value: loss!, gradFunc: (dy, [saved]) => saved!.mul(dy.expandDims(1)) };
  });
  return ofLogits(logits);
}

/** {@link softmaxCrossEntropy} from tfjs's own ops, on any backend. */
export function composedCrossEntropy(logits: tf.Tensor, labels: tf.Tensor): tf.Tensor {
  return tf.logSoftmax(logits).mul(oneHot(labels, logits.shape[1]!)).sum(1).neg();
}
