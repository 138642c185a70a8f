import { definePlugin, type NamedTensors, tf, type Update, type WeightSpec, z, zeroSlot } from 'tailmix';

const name = 'muon';

const options = z.strictObject({
  rate: z.number().positive().default(0.2).describe('Learning rate of the matrices, as a share of the run’s.'),
  momentum: z.number().min(0).lt(1).default(0.95).describe('Momentum μ of the matrices.'),
  nesterov: z.boolean().default(true).describe('Whether the gradient is moved towards the momentum once more.'),
  weightDecay: z.number().min(0).default(0.01).describe('Decay of the matrices: w −= lr·decay·w.'),
  steps: z.int().min(1).max(20).default(5).describe('Steps of the Newton-Schulz iteration.'),
  scale: z
    .enum(['shape', 'rms'])
    .default('shape')
    .describe('Factor of an update of m × n: `shape` √max(1, m/n), or `rms` 0.2·√max(m, n), as large as Adam’s.'),
});

type Options = z.output<typeof options>;

const slotOf = (weight: string): string => `${name}/${weight}`;

/** A kernel whose rows are its outputs, of more than one output: hidden layers, but no classifier's. */
export const isMatrix = ({ name: weight, kind, shape }: Pick<WeightSpec, 'name' | 'kind' | 'shape'>): boolean =>
  kind === 'kernel' && shape.length > 1 && shape.at(-1)! > 1 && !weight.split('/').includes('classifier');

/**
 * `U·S′·Vᵀ` for a matrix `U·S·Vᵀ`, with all singular values near 1: Newton-Schulz, X ← aX + (bA + cA²)X with A = XXᵀ, from
 * X of Frobenius norm 1 (Jordan et al. 2024).
 *
 * @param matrix - `[m, n]`
 */
export function orthogonalised(matrix: tf.Tensor, steps: number): tf.Tensor {
  const [a, b, c] = [3.4445, -4.775, 2.0315];
  const isTall = matrix.shape[0]! > matrix.shape[1]!;
  let x = (isTall ? matrix.transpose() : matrix).div(matrix.square().sum().sqrt().maximum(1e-7));
  for (let i = 0; i < steps; i++) {
    const gram = tf.matMul(x, x, false, true);
    const change = gram.mul(b).add(tf.matMul(gram, gram).mul(c));
    x = x.mul(a).add(tf.matMul(change, x));
  }
  return isTall ? x.transpose() : x;
}

/** Factor of the update of a kernel whose matrix has `rows` rows. */
export const factorOf = (rows: number, columns: number, scale: Options['scale']): number =>
  scale === 'shape' ? Math.sqrt(Math.max(1, rows / columns)) : 0.2 * Math.sqrt(Math.max(rows, columns));

/** What a kernel `[…, in, out]` is as a matrix `[out, …·in]`, and back. */
const asMatrix = (kernel: tf.Tensor): tf.Tensor => kernel.reshape([-1, kernel.shape.at(-1)!]).transpose();

/**
 * Muon's update of the matrices, and that of the optimizer for all other weights: m ← μm + (1 − μ)g, and the weights go
 * against the orthogonalised m, or with Nesterov's form (1 − μ)g + μm.
 */
export function muonUpdate(update: Update, { rate, momentum, nesterov, weightDecay, steps, scale }: Options): Update {
  return {
    slots: (trained, all) => [
      ...update.slots(
        trained.filter((weight) => !isMatrix(weight)),
        all,
      ),
      ...trained.filter(isMatrix).map(({ name: weight, shape }) => zeroSlot(slotOf(weight), shape)),
    ],
    apply(weights, slots, gradients, pass) {
      const entries = Object.entries(gradients);
      const others = entries.filter(([weight]) => !slots[slotOf(weight)]);
      const next = update.apply(weights, slots, Object.fromEntries(others), pass);
      const changed: { weights: NamedTensors; slots: NamedTensors } = { weights: {}, slots: {} };
      const own = pass.inputs.learningRate!.mul(rate);
      for (const [weight, gradient] of entries) {
        const before = slots[slotOf(weight)];
        if (!before) continue;
        const m = before.mul(momentum).add(gradient.mul(1 - momentum));
        const matrix = asMatrix(nesterov ? gradient.mul(1 - momentum).add(m.mul(momentum)) : m);
        const direction = orthogonalised(matrix, steps).transpose().reshape(gradient.shape);
        const factor = factorOf(matrix.shape[0]!, matrix.shape[1]!, scale);
        const decayed = weights[weight]!.mul(tf.sub(1, own.mul(weightDecay)));
        changed.weights[weight] = decayed.sub(direction.mul(own.mul(factor)));
        changed.slots[slotOf(weight)] = m;
      }
      return { weights: { ...next.weights, ...changed.weights }, slots: { ...next.slots, ...changed.slots } };
    },
  };
}

/**
 * Muon: updates of hidden layers whose singular values are all alike, so that no direction of a matrix learns faster than
 * the others. Biases, norms and classifiers go by `train.optimizer`.
 *
 * @example
 * ```ts
 * createTrainer({ data: { name: 'digits' }, model: { name: 'mlp' }, plugins: [muon({ rate: 0.2 })] });
 * ```
 * @example
 * ```yaml
 * plugins:
 *   - use: muon
 *     rate: 0.2
 * ```
 * @see Jordan et al., Muon: An optimizer for hidden layers in neural networks, 2024, https://kellerjordan.github.io/posts/muon/
 */
export default definePlugin({
  name,
  options,
  provides: ['optimizer'],
  apply({ hooks, info: { weightGroups = [] }, warn }, options) {
    if (weightGroups.length > 0)
      warn(
        'NOT_INTENDED',
        'updates matrices with a rate and decay of its own: groups of weights hold for all others alone.',
      );
    hooks.buildUpdate.tap(name, (update) => muonUpdate(update, options));
  },
});
