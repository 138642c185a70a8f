import { definePlugin, type InputSpec, type NamedTensors, Order, tf, type Update, z } from 'tailmix';
import { requireClassifier } from 'tailmix/plugins/tau-norm';

const name = 'weight-balancing';

const options = z.strictObject({
  limit: z.number().positive().default(1).describe('Largest norm δ of the classifier vector of a class.'),
  every: z
    .enum(['step', 'epoch'])
    .default('step')
    .describe(
      'When vectors that have grown beyond it are shortened: after each update, as in the paper, or after the last of an epoch, as in its code.',
    ),
});

const KERNEL = 'classifier/kernel';
const DUE = 'due';
const INPUT = `${name}/${DUE}`;

/**
 * `w_c · min(1, δ/‖w_c‖)` for the vector of each class c: those within the ball stay as they are (MaxNorm of Alshammari et al. 2022).
 *
 * @param kernel - `[D, C]`, a class in each column
 * @returns `[D, C]`
 */
export function maxNorm(kernel: tf.Tensor, limit: number): tf.Tensor {
  const norms = kernel.square().sum(0).sqrt();
  return kernel.mul(tf.div(limit, norms.maximum(limit)));
}

/** An update after which the classifier is projected; `due` says whether in this step, 1 or 0, null for every step. */
export const projecting = (update: Update, limit: number, due: (inputs: NamedTensors) => tf.Tensor | null): Update => ({
  ...update,
  apply(weights, slots, gradients, pass) {
    const next = update.apply(weights, slots, gradients, pass);
    const kernel = next.weights[KERNEL];
    if (!kernel) return next;
    const projected = maxNorm(kernel, limit);
    const isDue = due(pass.inputs);
    const after = isDue ? projected.mul(isDue).add(kernel.mul(tf.sub(1, isDue))) : projected;
    return { ...next, weights: { ...next.weights, [KERNEL]: after } };
  },
});

/**
 * MaxNorm: keeps the classifier vector of each class within a ball, so that frequent classes do not outgrow rare ones.
 *
 * @example
 * ```ts
 * createTrainer({ data: { name: 'digits' }, model: { name: 'mlp' }, plugins: [weightBalancing({ limit: 1 })] });
 * ```
 * @example
 * ```yaml
 * plugins:
 *   - use: weight-balancing
 *     limit: 1
 * ```
 * @see Alshammari et al., Long-Tailed Recognition via Weight Balancing, CVPR 2022, https://arxiv.org/abs/2203.14197
 */
export default definePlugin({
  name,
  options,
  inputs: ({ every }): Record<string, InputSpec> =>
    every === 'epoch' ? { [DUE]: { shape: [], dtype: 'float32' } } : {},
  extendModel: (model) => requireClassifier(name, model),
  apply({ hooks, info: { stepsPerEpoch, start }, warn }, { limit, every }) {
    if (start.freeze.includes('classifier'))
      warn('NO_EFFECT', 'the classifier is frozen: its vectors stay as they are.');
    const isByEpoch = every === 'epoch';
    hooks.buildUpdate.tap({ name, stage: Order.ClipGradients }, (update) =>
      projecting(update, limit, (inputs) => (isByEpoch ? inputs[INPUT]! : null)),
    );
    if (!isByEpoch) return;
    hooks.onBatch.tap(name, (batch, { stepInEpoch }) => ({
      ...batch,
      inputs: { ...batch.inputs, [INPUT]: Float32Array.of(Number(stepInEpoch === stepsPerEpoch)) },
    }));
  },
});
