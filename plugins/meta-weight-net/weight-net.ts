import { type NamedTensors, type Random, tf } from 'tailmix';
import { type AdamState, adamState } from './adam-state.ts';

export const NAME = 'meta-weight-net';

/** Θ begins as PyTorch's linear layers do, uniform in ±1/√(number of inputs). */
export function thetaOf(hidden: number): AdamState {
  const uniform = (bound: number, length: number) => (random: Random) =>
    Float32Array.from({ length }, () => (2 * random.uniform() - 1) * bound);
  return adamState(NAME, [
    { name: 'hidden/kernel', shape: [1, hidden], initial: uniform(1, hidden) },
    { name: 'hidden/bias', shape: [hidden], initial: uniform(1, hidden) },
    { name: 'out/kernel', shape: [hidden, 1], initial: uniform(hidden ** -0.5, hidden) },
    { name: 'out/bias', shape: [1], initial: uniform(hidden ** -0.5, 1) },
  ]);
}

/**
 * V(L; Θ), what rows of these losses weigh: one hidden layer of ReLUs and a sigmoid (Shu et al. 2019, section 2.2).
 *
 * @param losses - `[B]`
 * @param theta - {@link thetaOf}'s, by own names
 * @returns `[B]` in 0…1
 */
export function weightOf(losses: tf.Tensor, theta: NamedTensors): tf.Tensor {
  const hidden = tf.matMul(losses.expandDims(1), theta['hidden/kernel']!).add(theta['hidden/bias']!).relu();
  return tf.matMul(hidden, theta['out/kernel']!).add(theta['out/bias']!).sigmoid().squeeze([1]);
}

/** What an update of Θ is made with. */
export interface ThetaOptions {
  /** β. */
  learningRate: number;
  /** Factor of Θ in its gradient, as PyTorch's Adam has it. */
  weightDecay: number;
}

/**
 * Gradient for Θ, `−(α / n) Σ_j G_j ∂V(L_j; Θ)/∂Θ` (Shu et al. 2019, eqs. 4 and 6), with weight decay; by own names.
 *
 * @param losses - `[B]`, L_j
 * @param alignment - `[B]`, G_j: how fast L_j grows along the gradient of the meta loss
 * @param rate - scalar, α / n
 */
export function thetaGradients(
  theta: NamedTensors,
  { losses, alignment, rate }: { losses: tf.Tensor; alignment: tf.Tensor; rate: tf.Tensor },
  weightDecay: number,
): NamedTensors {
  const names = Object.keys(theta);
  const slopes = tf.grads((...given: tf.Tensor[]) =>
    weightOf(losses, Object.fromEntries(names.map((name, i) => [name, given[i]!])))
      .mul(alignment)
      .sum()
      .mul(rate)
      .neg(),
  )(Object.values(theta));
  return Object.fromEntries(names.map((name, i) => [name, slopes[i]!.add(theta[name]!.mul(weightDecay))]));
}
