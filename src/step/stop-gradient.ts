import { tf } from '../tf.ts';

/**
 * The tensor as a constant: nothing that is calculated from it has a gradient for what it was calculated from. It shares
 * the tensor's memory, and a captured graph has no node for it.
 */
export function stopGradient<T extends tf.Tensor>(tensor: T): T {
  const backend = tf.backend() as unknown as { incRef(dataId: object): void };
  backend.incRef(tensor.dataId);
  return tf.engine().makeTensorFromTensorInfo(tensor) as T;
}
