import { definePlugin, type NamedTensors, Order, type StepContext, tf, type Update, z, zeroSlot } from 'tailmix';

const name = 'grad-accumulation';

const options = z.strictObject({
  steps: z.int().positive().default(2).describe('Steps to an update, k: an update sees k times the batch size.'),
});

const UPDATES = `${name}/updates`;
const NORMALIZER = `${name}/normalizer`;
const slotOf = (weight: string): string => `${name}/gradient/${weight}`;

/** Whether a step ends a group: each k-th of an epoch does, and the epoch's last, however small its group is. */
export const endsGroup = (
  { stepInEpoch }: Pick<StepContext, 'stepInEpoch'>,
  steps: number,
  stepsPerEpoch: number,
): boolean => stepInEpoch % steps === 0 || stepInEpoch === stepsPerEpoch;

/**
 * An update that waits for the end of a group and then takes the group as one batch. A step's loss is
 * Σ weight·L / normalizer, so its gradient times the normalizer is that of the sum; both are added up over the group:
 * g = Σ_k normalizer_k·g_k / Σ_k normalizer_k. Between updates, weights and slots do not change by a bit.
 *
 * Input `grad-accumulation/updates`: 1 in the step that ends a group, else 0.
 */
export function accumulating(update: Update): Update {
  return {
    slots: (trained, all) => [
      ...update.slots(trained, all),
      zeroSlot(NORMALIZER),
      ...trained.map(({ name, shape }) => zeroSlot(slotOf(name), shape)),
    ],
    apply(weights, slots, gradients, pass) {
      const updates = pass.inputs[UPDATES]!.greater(0.5);
      const normalizer = slots[NORMALIZER]!.add(pass.inputs.normalizer!);
      const sums: NamedTensors = {};
      const means: NamedTensors = {};
      for (const [name, gradient] of Object.entries(gradients)) {
        const sum = slots[slotOf(name)]!.add(gradient.mul(pass.inputs.normalizer!));
        sums[slotOf(name)] = sum;
        means[name] = sum.div(normalizer);
      }
      const next = update.apply(weights, slots, means, pass);
      const choose = (after: NamedTensors, before: NamedTensors): NamedTensors =>
        Object.fromEntries(
          Object.entries(after).map(([name, tensor]) => [name, tf.where(updates, tensor, before[name]!)]),
        );
      const emptied = Object.entries({ ...sums, [NORMALIZER]: normalizer }).map(([slot, sum]) => [
        slot,
        tf.where(updates, tf.zerosLike(sum), sum),
      ]);
      return {
        weights: choose(next.weights, weights),
        slots: { ...choose(next.slots, slots), ...Object.fromEntries(emptied) },
      };
    },
  };
}

/**
 * Gradient accumulation: updates once every k steps, as a batch k times as large would.
 *
 * @example
 * ```ts
 * createTrainer({
 *   data: { name: 'digits' },
 *   model: { name: 'mlp' },
 *   plugins: [gradAccumulation({ steps: 4 })],
 *   train: { batchSize: 32 },
 * });
 * ```
 * @example
 * ```yaml
 * plugins:
 *   - use: grad-accumulation
 *     steps: 4
 * train:
 *   batchSize: 32
 * ```
 */
export default definePlugin({
  name,
  options,
  inputs: () => ({ updates: { shape: [], dtype: 'float32' } }),
  apply({ hooks, info: { stepsPerEpoch }, warn }, { steps }) {
    if (steps === 1) warn('NO_EFFECT', 'steps is 1: every step updates, as without the plugin.');
    if (steps > stepsPerEpoch) {
      warn('NOT_INTENDED', `steps ${steps} is more than an epoch has, ${stepsPerEpoch}: there is one update an epoch.`);
    }
    hooks.onBatch.tap(name, (batch, ctx) => ({
      ...batch,
      inputs: { ...batch.inputs, [UPDATES]: Float32Array.of(endsGroup(ctx, steps, stepsPerEpoch) ? 1 : 0) },
    }));
    hooks.buildUpdate.tap({ name, stage: Order.Accumulate }, accumulating);
  },
});
