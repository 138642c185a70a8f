import { statelessUniform } from '../backend/kernels/index.ts';
import { tf } from '../tf.ts';
import type { Pass } from './types.ts';

/** The step input that a model with `random: true` has: `[2]` int32, another one in each step. */
export const MODEL_SEED = 'modelSeed';

/** Options of {@link dropout}. */
export interface DropoutOptions {
  /** Share of values that become 0; the others are divided by 1 − rate. */
  rate: number;
  /** Tells this layer's draws from those of the model's other ones. */
  index: number;
  /** Shape of the mask, which is broadcast: `[batch, 1, 1, channels]` drops whole channels. Default: that of x. */
  noiseShape?: readonly number[];
}

/**
 * Dropout in training, nothing otherwise. The mask follows from the step's seed, so that a captured step draws anew and
 * SAM's two passes drop the same. The model must say `random: true`.
 */
export function dropout<T extends tf.Tensor>(
  x: T,
  pass: Pass,
  { rate, index, noiseShape = x.shape }: DropoutOptions,
): T {
  if (!pass.training || rate <= 0) return x;
  if (rate >= 1) return tf.zerosLike(x);
  const seed = pass.inputs[MODEL_SEED]!.add(tf.tensor1d([0, index], 'int32'));
  const kept = statelessUniform(noiseShape, seed).greaterEqual(rate).cast('float32');
  return x.mul(kept.mul(1 / (1 - rate))) as T;
}
