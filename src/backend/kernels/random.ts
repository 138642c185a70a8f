import { randomField } from '../../random.ts';
import { tf } from '../../tf.ts';
import { sizeOf } from '../../util/shape.ts';
import { hasKernel, runKernel } from './registry.ts';

/**
 * Uniform numbers in [0, 1) that are a function of the seed alone: an op on the native backend, so that the captured step
 * draws anew for each seed it is fed; elsewhere drawn on the host, from other numbers.
 *
 * @param seed - `[2]` int32
 */
export function statelessUniform(shape: readonly number[], seed: tf.Tensor): tf.Tensor {
  if (hasKernel('StatelessRandomUniform')) return runKernel('StatelessRandomUniform', { seed }, { shape })[0]!;
  const field = randomField('uniform', ...seed.dataSync());
  return tf.tensor(
    Float32Array.from({ length: sizeOf(shape) }, (_, i) => field(i, 0)),
    [...shape],
  );
}
