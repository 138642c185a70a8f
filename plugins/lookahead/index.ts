import { copySlot, definePlugin, type NamedTensors, Order, tf, type Update, z, zeroSlot } from 'tailmix';
import { predictingFrom } from 'tailmix/plugins/ema';

const name = 'lookahead';

const options = z.strictObject({
  steps: z.int().min(1).default(5).describe('k, updates of the fast weights between two of the slow ones.'),
  alpha: z
    .number()
    .gt(0)
    .max(1)
    .default(0.5)
    .describe('Step α of the slow weights towards the fast ones; 1 changes nothing.'),
});

type Options = z.output<typeof options>;

const COUNT = `${name}/count`;

const slotOf = (weight: string): string => `${name}/${weight}`;

/**
 * An update that after every k of the optimizer's also takes one of the slow weights, φ ← φ + α·(θ − φ), from which the fast
 * ones go on, θ ← φ (Zhang et al. 2019, algorithm 1). The optimizer's momentum is kept.
 */
export function lookingAhead(update: Update, { steps, alpha }: Options): Update {
  return {
    slots: (trained, all) => [
      ...update.slots(trained, all),
      ...trained.map((weight) => copySlot(slotOf(weight.name), weight)),
      zeroSlot(COUNT),
    ],
    apply(weights, slots, gradients, pass) {
      const next = update.apply(weights, slots, gradients, pass);
      const count = slots[COUNT]!.add(1);
      const isDue = count.greaterEqual(steps).cast('float32');
      const isNot = tf.sub(1, isDue);
      const [fast, slow]: NamedTensors[] = [{ ...next.weights }, {}];
      for (const [weight, theta] of Object.entries(next.weights)) {
        const phi = slots[slotOf(weight)];
        if (!phi) continue;
        const moved = phi.add(theta.sub(phi).mul(alpha));
        slow![slotOf(weight)] = moved.mul(isDue).add(phi.mul(isNot));
        fast![weight] = moved.mul(isDue).add(theta.mul(isNot));
      }
      return { weights: fast!, slots: { ...next.slots, ...slow, [COUNT]: count.mul(isNot) } };
    },
  };
}

/**
 * Lookahead: slow weights that follow the optimizer's in steps of their own, and from which it goes on. Evaluation uses the
 * slow weights.
 *
 * @example
 * ```ts
 * createTrainer({ data: { name: 'digits' }, model: { name: 'mlp' }, plugins: [lookahead({ steps: 5 })] });
 * ```
 * @example
 * ```yaml
 * plugins:
 *   - use: lookahead
 *     steps: 5
 * ```
 * @see Zhang et al., Lookahead Optimizer: k steps forward, 1 step back, NeurIPS 2019, https://arxiv.org/abs/1907.08610
 */
export default definePlugin({
  name,
  options,
  apply({ hooks, warn }, options) {
    if (options.alpha === 1) warn('NO_EFFECT', 'alpha is 1: the slow weights are the fast ones.');
    hooks.buildUpdate.tap({ name, stage: Order.ClipGradients }, (update) => lookingAhead(update, options));
    // Around plugins that average: where there is one, its averages take the place of the slow weights.
    hooks.buildPrediction.tap({ name, stage: Order.Average + 1 }, predictingFrom(name));
  },
});
