import { type Batch, definePlugin, Order, type Random, sharesOf, z } from 'tailmix';

const name = 'unimix';

const options = z.strictObject({
  alpha: z.number().positive().default(0.8).describe('λ is drawn from Beta(alpha, alpha) before it is shifted.'),
  tau: z
    .number()
    .default(-0.5)
    .describe(
      'A sample of a class with n images is drawn as partner in proportion to n^tau; 0: each sample of the batch alike.',
    ),
});

/**
 * λ of a sample of a class with `ni` images and a partner of one with `nj`: a Beta draw, shifted by nⱼ / (nᵢ + nⱼ) and
 * wrapped into 0…1, so that rare classes weigh more on average (Xu et al. 2021, eq. 6).
 *
 * @param beta - the draw, in 0…1
 */
export function unimixLambda(beta: number, ni: number, nj: number): number {
  const shifted = beta + nj / (ni + nj);
  return shifted > 1 ? shifted - 1 : shifted;
}

/** `size` draws with replacement from 0…n−1 in proportion to `weights` `[n]`, int32. */
export function drawWithReplacement(size: number, weights: Float64Array, random: Random): Int32Array {
  const upTo = weights.slice();
  for (let i = 1; i < upTo.length; i++) upTo[i] = upTo[i - 1]! + weights[i]!;
  const sum = upTo.at(-1) ?? 0;
  return Int32Array.from({ length: size }, () => {
    const at = random.uniform() * sum;
    const index = upTo.findIndex((bound) => at < bound);
    return index < 0 ? weights.length - 1 : index;
  });
}

/**
 * Partners and weights of a batch.
 *
 * @param classCounts - `[C]`, of the training set
 * @returns `pair` `[B]`, drawn with replacement from the batch (or each replica's rows) in proportion to n^τ; `lambda` `[B]`, one per sample
 */
export function unimixBatch(
  batch: Pick<Batch, 'size' | 'replicas' | 'labels'>,
  classCounts: readonly number[],
  { alpha, tau }: z.output<typeof options>,
  random: Random,
): { pair: Int32Array; lambda: Float32Array } {
  const count = (row: number): number => classCounts[batch.labels[row]!]!;
  const weights = Float64Array.from({ length: batch.size }, (_, row) => count(row) ** tau);
  const pair = Int32Array.from(
    sharesOf(batch).flatMap(({ start, size }) =>
      Array.from(drawWithReplacement(size, weights.subarray(start, start + size), random), (row) => start + row),
    ),
  );
  const lambda = Float32Array.from(pair, (j, i) => unimixLambda(random.beta(alpha, alpha), count(i), count(j)));
  return { pair, lambda };
}

/**
 * UniMix: Mixup with partners that are likely to be of a rarer class, and a λ that favours the rarer class of the pair.
 *
 * @example
 * ```ts
 * createTrainer({ data: { name: 'digits' }, model: { name: 'mlp' }, plugins: [unimix({ alpha: 0.8, tau: -0.5 })] });
 * ```
 * @example
 * ```yaml
 * plugins:
 *   - use: unimix
 *     alpha: 0.8
 *     tau: -0.5
 * ```
 * @see Xu et al., Towards Calibrated Model for Long-Tailed Visual Recognition from Prior Perspective, NeurIPS 2021,
 *   https://arxiv.org/abs/2111.03874
 */
export default definePlugin({
  name,
  options,
  provides: ['mix'],
  conflicts: () => ({ relabel: 'lambda favours the rarer class already, and labels are moved to it twice. Keep one.' }),
  variants: () => ({ mix: ['input'] }),
  apply({ hooks, random, info: { classCounts } }, options) {
    hooks.onBatch.tap({ name, stage: Order.Mix }, (batch, { epoch, step }) => ({
      ...batch,
      ...unimixBatch(batch, classCounts, options, random(epoch, step)),
    }));
  },
});
