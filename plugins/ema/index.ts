import { definePlugin, Order, tf, type Update, z, zeroSlot } from 'tailmix';
import { averagedBy, predictingFrom } from './averages.ts';

export { alsoAtAverages, averagedBy, predictingFrom, withAverages } from './averages.ts';

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
