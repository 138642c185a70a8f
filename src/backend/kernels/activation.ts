import { tf } from '../../tf.ts';
import { customGradient, hasKernel, runKernel } from './registry.ts';

/** `max(x, 0)`. Its gradient is one op on the native backend (five in tfjs) and keeps the output, not the input. */
export const relu = (x: tf.Tensor): tf.Tensor => rectified(x);

/** `max(a + b, 0)` for equal shapes: the end of a residual block. Both inputs share one gradient. */
export const addRelu = (a: tf.Tensor, b: tf.Tensor): tf.Tensor => rectifiedSum(a, b);

/**
 * `x·Φ(x)`, Φ being the normal distribution function, by erf and not by its tanh approximation (Hendrycks and Gimpel
 * 2016). Its gradient `Φ(x) + x·φ(x)` keeps x alone. One op each way on the native backend where tailmix's custom op runs.
 */
export const gelu = (x: tf.Tensor): tf.Tensor =>
  hasKernel('TailmixGelu') ? runKernel('TailmixGelu', { x })[0]! : composedGelu(x);

/** Gradient of tailmix's custom op. */
export const geluGradient: tf.GradConfig = {
  kernelName: 'TailmixGelu',
  inputsToSave: ['x'],
  gradFunc: (dys, saved) => ({
    x: () => runKernel('TailmixGeluGrad', { dy: [dys].flat()[0]!, x: saved[0] as tf.Tensor })[0]!,
  }),
};

/** {@link gelu} from tfjs's own ops, on any backend. */
export const composedGelu = (x: tf.Tensor): tf.Tensor => gaussian(x);

const gaussian = customGradient(([x], save) => {
  save([x!]);
  return {
    value: x!.mul(distribution(x!)),
    gradFunc: (dy, [saved]) => {
      const density = saved!
        .square()
        .mul(-0.5)
        .exp()
        .mul(1 / Math.sqrt(2 * Math.PI));
      return dy.mul(distribution(saved!).add(saved!.mul(density)));
    },
  };
});

/** Φ(x) */
const distribution = (x: tf.Tensor): tf.Tensor => tf.erf(x.mul(Math.SQRT1_2)).add(1).mul(0.5);

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
