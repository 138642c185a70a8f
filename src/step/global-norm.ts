import type { NamedTensors } from '../tf.ts';
import { tf } from '../tf.ts';

/** Euclidean norm of all elements of all tensors together, a scalar; 0 for none. */
export const globalNorm = (tensors: NamedTensors): tf.Tensor =>
  Object.values(tensors)
    .reduce((sum, tensor) => sum.add(tensor.square().sum()), tf.scalar(0))
    .sqrt();
