import {
  copySlot,
  type Forward,
  type Model,
  type NamedTensors,
  type Pass,
  type Predict,
  tf,
  type Update,
} from 'tailmix';

/**
 * An update that also averages: a ← k·a + (1 − k)·w for every trained weight and every statistic, from the initial ones on. The
 * averages are slots `<prefix>/<weight>`, or weights of that name where the model has them ({@link withAverages}). The weights themselves
 * are updated as before.
 *
 * @param keptOf - k, a scalar
 */
export const averagedBy = (
  prefix: string,
  update: Update,
  keptOf: (slots: NamedTensors, pass: Pass) => tf.Tensor,
): Update => ({
  slots(trained, all) {
    const names = new Set(all.map(({ name }) => name));
    const statistics = all.filter(({ kind, name }) => kind === 'statistic' && !name.startsWith(`${prefix}/`));
    const averages = [...trained, ...statistics]
      .filter(({ name }) => !names.has(`${prefix}/${name}`))
      .map((weight) => copySlot(`${prefix}/${weight.name}`, weight));
    return [...update.slots(trained, all), ...averages];
  },
  apply(weights, slots, gradients, pass) {
    const next = update.apply(weights, slots, gradients, pass);
    const now = { ...weights, ...next.weights };
    const kept = keptOf(slots, pass);
    const taken = tf.sub(1, kept);
    const averagesOf = (known: NamedTensors): NamedTensors =>
      Object.fromEntries(
        Object.keys(now)
          .filter((weight) => known[`${prefix}/${weight}`])
          .map((weight) => [
            `${prefix}/${weight}`,
            known[`${prefix}/${weight}`]!.mul(kept).add(now[weight]!.mul(taken)),
          ]),
      );
    return {
      weights: { ...next.weights, ...averagesOf(weights) },
      slots: { ...next.slots, ...averagesOf(slots) },
    };
  },
});

/** Weights with what there is at the averages, weights or slots `<prefix>/<weight>`, in their place. */
const atAverages = (prefix: string, weights: NamedTensors, slots: NamedTensors = {}): NamedTensors =>
  Object.fromEntries(
    Object.entries(weights).map(([weight, value]) => {
      const average = `${prefix}/${weight}`;
      return [weight, weights[average] ?? slots[average] ?? value];
    }),
  );

/** A prediction with the averages `<prefix>/<weight>` in the place of the weights that have one. */
export const predictingFrom =
  (prefix: string) =>
  (predict: Predict): Predict =>
  (weights, slots, images, pass) =>
    predict(atAverages(prefix, weights, slots), slots, images, pass);

/**
 * The model with an average `<prefix>/<weight>` of each weight, which is state, and with statistics of batch norm for the averages.
 * Weights of plugins that come later have their average among the slots.
 */
export const withAverages = (model: Model, prefix: string): Model => ({
  ...model,
  weights: [
    ...model.weights,
    ...model.weights
      .filter(({ kind }) => kind !== 'state')
      .map(({ name: weight, shape, kind, initial }) =>
        kind === 'statistic'
          ? { name: `${prefix}/${weight}`, shape, kind, initial }
          : {
              name: `${prefix}/${weight}`,
              shape,
              kind: 'state' as const,
              initial: (_: unknown, all?: Readonly<Record<string, Float32Array>>) => all![weight]!,
            },
      ),
  ],
});

/**
 * A forward pass that in some steps also goes over the batch with the averages of {@link withAverages}, for their statistics.
 *
 * @param isDue - in which passes
 * @param momentum - what a statistic has of the batch's, see `Pass.momentum`. Default: that of each layer.
 * @param carry - the next statistic, from the one before and what the pass gave. Default: what the pass gave.
 */
export const alsoAtAverages =
  (
    prefix: string,
    {
      isDue,
      momentum,
      carry = (_, next) => next,
    }: {
      isDue(pass: Pass): boolean;
      momentum?: number;
      carry?: (before: tf.Tensor, next: tf.Tensor, pass: Pass) => tf.Tensor;
    },
  ) =>
  (forward: Forward): Forward =>
  (weights, images, pass) => {
    const outputs = forward(weights, images, pass);
    const hasAverages = Object.keys(weights).some((weight) => weight.startsWith(`${prefix}/`));
    if (!pass.training || !hasAverages || !isDue(pass)) return outputs;
    const { statistics } = forward(atAverages(prefix, weights), images, { ...pass, momentum });
    const known = Object.keys(statistics).filter((statistic) => weights[`${prefix}/${statistic}`]);
    const carried = known.map((statistic) => {
      const average = `${prefix}/${statistic}`;
      return [average, carry(weights[average]!, statistics[statistic]!, pass)];
    });
    return { ...outputs, statistics: { ...outputs.statistics, ...Object.fromEntries(carried) } };
  };
