import { tf } from '../../tf.ts';
import { customGradient, hasKernel, runKernel } from './registry.ts';

/**
 * Softmax over the last axis. Its gradient `(dy − Σ dy·y)·y` is one op on the native backend where tailmix's custom op runs
 * (four in tfjs).
 */
export const softmax = (x: tf.Tensor): tf.Tensor => (hasKernel('TailmixSoftmaxGrad') ? ofRows(x) : tf.softmax(x));

const ofRows = customGradient(([x], save) => {
  const y = tf.softmax(x!);
  save([y]);
  return { value: y, gradFunc: (dy, [saved]) => runKernel('TailmixSoftmaxGrad', { dy, y: saved! })[0]! };
});
