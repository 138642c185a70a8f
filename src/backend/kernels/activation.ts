import { tf } from '../../tf.ts';
import { customGradient, hasKernel, runKernel } from './registry.ts';

/** `max(x, 0)`. Its gradient is one op on the native backend (five in tfjs) and keeps the output, not the input. */
export const relu = (x: tf.Tensor): tf.Tensor => rectified(x);

/** `max(a + b, 0)` for equal shapes: the end of a residual block. Both inputs share one gradient. */
export const addRelu = (a: tf.Tensor, b: tf.Tensor): tf.Tensor => rectifiedSum(a, b);

const rectified = customGradient(([x], save) => {
  const y = tf.relu(x!);
  save([y]);
  return { value: y, gradFunc: (dy, [saved]) => reluGradient(dy, saved!) };
});

const rectifiedSum = customGradient(([a, b], save) => {
  const y = tf.relu(tf.add(a!, b!));
  save([y]);
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
