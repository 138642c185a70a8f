import type { tf } from '../../tf.ts';
import { hasKernel, runKernel } from './registry.ts';

/** Options of {@link sgdStep}. */
export interface SgdOptions {
  /** Above 0. */
  momentum: number;
  nesterov: boolean;
  /** Added to the gradient, times the weight. */
  weightDecay: number;
}

/**
 * One step of stochastic gradient descent with momentum, in PyTorch's form: g ← g + decay·w; v ← mu·v + g;
 * w ← w − rate·v, or with Nesterov w − rate·(g + mu·v).
 * One op on the native backend where tailmix's custom op runs, with bit for bit the same result.
 *
 * @param weight - of any shape; `velocity` and `gradient` have the same.
 * @param rate - scalar
 */
export function sgdStep(
  weight: tf.Tensor,
  velocity: tf.Tensor,
  gradient: tf.Tensor,
  rate: tf.Tensor,
  options: SgdOptions,
): { weight: tf.Tensor; velocity: tf.Tensor } {
  if (!hasKernel('TailmixSgd')) return composedSgdStep(weight, velocity, gradient, rate, options);
  const [nextWeight, nextVelocity] = runKernel('TailmixSgd', { weight, velocity, gradient, rate }, { ...options });
  return { weight: nextWeight!, velocity: nextVelocity! };
}

/** The gradient with weight decay: g + decay·w. */
export const decayed = (weight: tf.Tensor, gradient: tf.Tensor, weightDecay: number): tf.Tensor =>
  weightDecay > 0 ? gradient.add(weight.mul(weightDecay)) : gradient;

/** {@link sgdStep} from tfjs's own ops, on any backend. */
export function composedSgdStep(
  weight: tf.Tensor,
  velocity: tf.Tensor,
  gradient: tf.Tensor,
  rate: tf.Tensor,
  { momentum, nesterov, weightDecay }: SgdOptions,
): { weight: tf.Tensor; velocity: tf.Tensor } {
  const slope = decayed(weight, gradient, weightDecay);
  const next = velocity.mul(momentum).add(slope);
  const direction = nesterov ? slope.add(next.mul(momentum)) : next;
  return { weight: weight.sub(direction.mul(rate)), velocity: next };
}
