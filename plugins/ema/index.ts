import {
  copySlot,
  definePlugin,
  type NamedTensors,
  Order,
  type Pass,
  type Predict,
  tf,
  type Update,
  z,
  zeroSlot,
} from 'tailmix';

const name = 'ema';

const options = z.strictObject({
  decay: z.number().min(0).lt(1).default(0.999).describe('Share of the average that is kept at each update.'),
  warmup: z
    .boolean()
    .default(true)
    .describe('Keep less at first, (1 + t)/(10 + t) after t updates, so that the initial weights fade.'),
});

type Options = z.output<typeof options>;

const UPDATES = `${name}/updates`;

/** Decay of the next update: min(decay, (1 + t)/(10 + t)), t the updates so far, a scalar. */
export const warmDecay = (decay: number, updates: tf.Tensor): tf.Tensor =>
  tf.minimum(decay, updates.add(1).div(updates.add(10)));

/**
 * An update that also averages: a ← k·a + (1 − k)·w for every trained weight and every statistic, from the initial ones on, in
 * slots `<prefix>/<weight>`. The weights themselves are updated as before.
 *
 * @param keptOf - k, a scalar
 */
export const averagedBy = (
  prefix: string,
  update: Update,
  keptOf: (slots: NamedTensors, pass: Pass) => tf.Tensor,
): Update => ({
  slots(trained, all) {
    const statistics = all.filter(({ kind }) => kind === 'statistic');
    const averages = [...trained, ...statistics].map((weight) => copySlot(`${prefix}/${weight.name}`, weight));
    return [...update.slots(trained, all), ...averages];
  },
  apply(weights, slots, gradients, pass) {
    const next = update.apply(weights, slots, gradients, pass);
    const now = { ...weights, ...next.weights };
    const kept = keptOf(slots, pass);
    const taken = tf.sub(1, kept);
    const averages = Object.keys(now)
      .filter((weight) => slots[`${prefix}/${weight}`])
      .map((weight) => [`${prefix}/${weight}`, slots[`${prefix}/${weight}`]!.mul(kept).add(now[weight]!.mul(taken))]);
    return { weights: next.weights, slots: { ...next.slots, ...Object.fromEntries(averages) } };
  },
});

/** A prediction with the slots `<prefix>/<weight>` in the place of the weights that have one. */
export const predictingFrom =
  (prefix: string) =>
  (predict: Predict): Predict =>
  (weights, slots, images, pass) => {
    const own: NamedTensors = Object.fromEntries(
      Object.keys(weights).map((weight) => [weight, slots[`${prefix}/${weight}`] ?? weights[weight]!]),
    );
    return predict(own, slots, images, pass);
  };

/** Exponential averages, with a counter of updates where they warm up. */
export function averaging(update: Update, { decay, warmup }: Options): Update {
  const averaged = averagedBy(name, update, (slots) => (warmup ? warmDecay(decay, slots[UPDATES]!) : tf.scalar(decay)));
  if (!warmup) return averaged;
  return {
    slots: (...given) => [...averaged.slots(...given), zeroSlot(UPDATES)],
    apply(weights, slots, gradients, pass) {
      const next = averaged.apply(weights, slots, gradients, pass);
      return { ...next, slots: { ...next.slots, [UPDATES]: slots[UPDATES]!.add(1) } };
    },
  };
}

/**
 * Exponential moving average of weights and statistics. Training is unchanged; evaluation uses the averages.
 *
 * @example
 * ```ts
 * createTrainer({ data: { name: 'digits' }, model: { name: 'mlp' }, plugins: [ema({ decay: 0.999 })] });
 * ```
 * @example
 * ```yaml
 * plugins:
 *   - use: ema
 *     decay: 0.999
 * ```
 * @see Polyak and Juditsky, Acceleration of Stochastic Approximation by Averaging, SIAM J. Control Optim. 30 (1992); in
 *   this form, Szegedy et al., https://arxiv.org/abs/1512.00567, section 8
 */
export default definePlugin({
  name,
  options,
  provides: ['average'],
  apply({ hooks, warn }, options) {
    if (options.decay === 0) warn('NO_EFFECT', 'decay is 0: the average is the weights themselves.');
    hooks.buildUpdate.tap({ name, stage: Order.Average }, (update) => averaging(update, options));
    hooks.buildPrediction.tap({ name, stage: Order.Average }, predictingFrom(name));
  },
});
