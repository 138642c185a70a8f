import { tf } from '../../tf.ts';
import { hasKernel, runKernel } from './registry.ts';

/** `max(x, 0)`. Its gradient is one op on the native backend (five in tfjs) and keeps the output, not the input. */
export const relu = <T extends tf.Tensor>(x: T): T => rectified(x) as T;

/** `max(a + b, 0)` for equal shapes: the end of a residual block. Both inputs share one gradient. */
export const addRelu = <T extends tf.Tensor>(a: T, b: T): T => rectifiedSum(a, b) as T;

const rectified = tf.customGrad((...[x, save]) => {
  const y = tf.relu(x as tf.Tensor);
  (save as tf.GradSaveFunc)([y]);
  return { value: y, gradFunc: (dy, [saved]) => reluGradient(dy, saved!) };
});

const rectifiedSum = tf.customGrad((...[a, b, save]) => {
  const y = tf.relu(tf.add(a as tf.Tensor, b as tf.Tensor));
  (save as tf.GradSaveFunc)([y]);
  return {
    value: y,
    gradFunc: (dy, [saved]) => {
      const gradient = reluGradient(dy, saved!);
      return [gradient, gradient.clone()];
    },
  };
});

/** `dy` where the output `y` is positive. */
function reluGradient(dy: tf.Tensor, y: tf.Tensor): tf.Tensor {
  return hasKernel('ReluGrad') ? runKernel('ReluGrad', { dy, y })[0]! : dy.mul(y.step());
}
