import { definePlugin, globalNorm, type NamedTensors, Order, tf, z } from 'tailmix';

const name = 'grad-clip';

const options = z.strictObject({
  by: z
    .enum(['norm', 'value'])
    .default('norm')
    .describe('`norm`: shorten all gradients together, keeping their direction; `value`: cut each number by itself.'),
  limit: z.number().positive().default(1).describe('Largest norm, or largest absolute value.'),
});

/** Gradients scaled by min(1, limit / ‖g‖), ‖g‖ over all of them together; those below the limit do not change by a bit. */
export function clipByNorm(gradients: NamedTensors, limit: number): NamedTensors {
  const scale = tf.div(limit, tf.maximum(globalNorm(gradients), limit));
  return mapValues(gradients, (gradient) => gradient.mul(scale));
}

/** Gradients with each number cut to −limit…limit. */
export const clipByValue = (gradients: NamedTensors, limit: number): NamedTensors =>
  mapValues(gradients, (gradient) => gradient.clipByValue(-limit, limit));

const mapValues = (tensors: NamedTensors, map: (tensor: tf.Tensor) => tf.Tensor): NamedTensors =>
  Object.fromEntries(Object.entries(tensors).map(([name, tensor]) => [name, map(tensor)]));

/**
 * Gradient clipping, by the norm of all gradients together or by value.
 *
 * @example
 * ```ts
 * createTrainer({ data: { name: 'digits' }, model: { name: 'mlp' }, plugins: [gradClip({ limit: 5 })] });
 * ```
 * @example
 * ```yaml
 * plugins:
 *   - use: grad-clip
 *     limit: 5
 * ```
 * @see Pascanu, Mikolov, Bengio, On the difficulty of training recurrent neural networks, ICML 2013,
 *   https://arxiv.org/abs/1211.5063, algorithm 1
 */
export default definePlugin({
  name,
  options,
  apply({ hooks }, { by, limit }) {
    const clip = by === 'norm' ? clipByNorm : clipByValue;
    hooks.buildUpdate.tap({ name, stage: Order.ClipGradients }, (update) => ({
      ...update,
      apply: (weights, slots, gradients, pass) => update.apply(weights, slots, clip(gradients, limit), pass),
    }));
  },
});
