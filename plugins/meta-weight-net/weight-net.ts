import { createOptimizer, type NamedTensors, type Random, type SlotSpec, tf, type WeightSpec } from 'tailmix';

export const NAME = 'meta-weight-net';

/** Parts of Θ, by the names that they have among the plugin's own. */
const THETA = ['hidden/kernel', 'hidden/bias', 'out/kernel', 'out/bias'] as const;

/** Name in the run of what the plugin keeps. */
const own = (name: string): string => `${NAME}/${name}`;

const ofOwn = (names: readonly string[], weights: NamedTensors): Record<string, tf.Tensor> =>
  Object.fromEntries(names.map((name) => [name, weights[own(name)]!]));

const asOwn = (values: NamedTensors): Record<string, tf.Tensor> =>
  Object.fromEntries(Object.entries(values).map(([name, value]) => [own(name), value]));

const weightBy = (losses: tf.Tensor, theta: NamedTensors): tf.Tensor => {
  const hidden = tf.matMul(losses.expandDims(1), theta['hidden/kernel']!).add(theta['hidden/bias']!).relu();
  return tf.matMul(hidden, theta['out/kernel']!).add(theta['out/bias']!).sigmoid().squeeze([1]);
};

/**
 * V(L; Θ), what rows of these losses weigh: one hidden layer of ReLUs and a sigmoid (Shu et al. 2019, section 2.2).
 *
 * @param losses - `[B]`
 * @param weights - those of the run, with Θ among them
 * @returns `[B]` in 0…1
 */
export const weightOf = (losses: tf.Tensor, weights: NamedTensors): tf.Tensor =>
  weightBy(losses, ofOwn(THETA, weights));

const adam = createOptimizer({
  name: 'adamw',
  learningRate: 0,
  beta1: 0.9,
  beta2: 0.999,
  epsilon: 1e-8,
  weightDecay: 0,
});

/** What an update of Θ is made with. */
export interface ThetaOptions {
  /** β. */
  learningRate: number;
  /** Factor of Θ in its gradient, as PyTorch's Adam has it. */
  weightDecay: number;
}

/**
 * Θ after a step of Adam by `−(α / n) Σ_j G_j ∂V(L_j; Θ)/∂Θ` (Shu et al. 2019, eqs. 4 and 6), with what Adam carries.
 *
 * @param weights - those of the run
 * @param losses - `[B]`, L_j
 * @param alignment - `[B]`, G_j: how fast L_j grows along the gradient of the meta loss
 * @param rate - scalar, α / n
 * @returns the plugin's own weights, by their names in the run
 */
export function nextTheta(
  weights: NamedTensors,
  { losses, alignment, rate }: { losses: tf.Tensor; alignment: tf.Tensor; rate: tf.Tensor },
  { learningRate, weightDecay }: ThetaOptions,
): NamedTensors {
  const theta = ofOwn(THETA, weights);
  const slopes = tf.grads((...given: tf.Tensor[]) => {
    const named = Object.fromEntries(THETA.map((name, i) => [name, given[i]!]));
    return weightBy(losses, named).mul(alignment).sum().mul(rate).neg();
  })(Object.values(theta));
  const gradients = Object.fromEntries(THETA.map((name, i) => [name, slopes[i]!.add(theta[name]!.mul(weightDecay))]));
  const slots = ofOwn(slotNames, weights);
  const pass = { training: true, variants: {}, atStage: (_: string, x: tf.Tensor) => x };
  const next = adam.apply(theta, slots, gradients, { ...pass, inputs: { learningRate: tf.scalar(learningRate) } });
  return asOwn({ ...next.weights, ...next.slots });
}

const thetaSpecs = (hidden: number): WeightSpec[] => {
  const uniform = (bound: number, length: number) => (random: Random) =>
    Float32Array.from({ length }, () => (2 * random.uniform() - 1) * bound);
  return [
    { name: 'hidden/kernel', shape: [1, hidden], kind: 'state', initial: uniform(1, hidden) },
    { name: 'hidden/bias', shape: [hidden], kind: 'state', initial: uniform(1, hidden) },
    { name: 'out/kernel', shape: [hidden, 1], kind: 'state', initial: uniform(hidden ** -0.5, hidden) },
    { name: 'out/bias', shape: [1], kind: 'state', initial: uniform(hidden ** -0.5, 1) },
  ];
};

const slotSpecs = (theta: readonly WeightSpec[]): readonly SlotSpec[] => adam.slots(theta, theta);
const slotNames = slotSpecs(thetaSpecs(1)).map(({ name }) => name);

/**
 * Θ and what Adam carries, as state: saved with the run, in no average, and no parameters of the network. Θ begins as
 * PyTorch's linear layers do, uniform in ±1/√(number of inputs).
 */
export function stateOf(hidden: number): WeightSpec[] {
  const theta = thetaSpecs(hidden);
  const slots = slotSpecs(theta).map(
    ({ name, shape, initial }): WeightSpec => ({ name, shape, kind: 'state', initial: () => initial({}) }),
  );
  return [...theta, ...slots].map((weight) => ({ ...weight, name: own(weight.name) }));
}
