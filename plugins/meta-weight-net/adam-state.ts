import { createOptimizer, type NamedTensors, type SlotSpec, tf, type WeightSpec } from 'tailmix';

/** Weights that a plugin trains by itself, with an Adam of their own, beside those of the run. */
export interface AdamState {
  /** They and what Adam carries, by their names in the run: saved with it, in no average, no parameters of the network. */
  weights: readonly WeightSpec[];
  /** They alone, by their own names, from all weights of the run. */
  of(weights: NamedTensors): NamedTensors;
  /** Next values, of what Adam carries too, by their names in the run. Gradients are by own names. */
  next(weights: NamedTensors, gradients: NamedTensors, learningRate: number): NamedTensors;
}

const adam = createOptimizer({
  name: 'adamw',
  learningRate: 0,
  beta1: 0.9,
  beta2: 0.999,
  epsilon: 1e-8,
  weightDecay: 0,
});

/**
 * State of a plugin that it trains by itself, by Adam (Kingma and Ba 2015).
 *
 * @param specs - names without the plugin's: they become `<plugin>/<name>`
 */
export function adamState(plugin: string, specs: readonly Omit<WeightSpec, 'kind'>[]): AdamState {
  const trained: WeightSpec[] = specs.map((spec) => ({ ...spec, kind: 'state' }));
  const slots = adam.slots(trained, trained);
  const own = (name: string): string => `${plugin}/${name}`;
  const named = (list: readonly { name: string }[], weights: NamedTensors): Record<string, tf.Tensor> =>
    Object.fromEntries(list.map(({ name }) => [name, weights[own(name)]!]));
  const asState = ({ name, shape, initial }: SlotSpec): WeightSpec => ({
    name,
    shape,
    kind: 'state',
    initial: () => initial({}),
  });
  return {
    weights: [...trained, ...slots.map(asState)].map((weight) => ({ ...weight, name: own(weight.name) })),
    of: (weights) => named(trained, weights),
    next(weights, gradients, learningRate) {
      const pass = { training: true, variants: {}, atStage: (_: string, x: tf.Tensor) => x };
      const inputs = { learningRate: tf.scalar(learningRate) };
      const after = adam.apply(named(trained, weights), named(slots, weights), gradients, { ...pass, inputs });
      return Object.fromEntries(
        Object.entries({ ...after.weights, ...after.slots }).map(([name, value]) => [own(name), value]),
      );
    },
  };
}
