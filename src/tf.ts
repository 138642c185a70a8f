/**
 * The running TensorFlow.js: one copy for tailmix, its plugins and the native binding.
 * A backend is chosen by `loadBackend` before the first tensor is made.
 */
import * as tf from '#tfjs';
import { rankDiffers } from './errors.ts';

export { tf };

/** Tensors by name. */
export type NamedTensors = Record<string, tf.Tensor>;

/** Tensors of the ranks that some ops of TensorFlow.js insist on. */
interface Ranks {
  1: tf.Tensor1D;
  3: tf.Tensor3D;
  4: tf.Tensor4D;
}

/**
 * The tensor, typed by its rank, for ops of TensorFlow.js that take no other.
 *
 * @throws {TailmixError} TENSOR_RANK
 */
export function ofRank<Rank extends keyof Ranks>(tensor: tf.Tensor | undefined, rank: Rank): Ranks[Rank] {
  if (tensor?.rank !== rank) throw rankDiffers(rank, tensor?.shape);
  return tensor as Ranks[Rank];
}
