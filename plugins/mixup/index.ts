import { type Batch, definePlugin, Order, partners, type Random, z } from 'tailmix';

const name = 'mixup';

const options = z.strictObject({
  alpha: z.number().min(0).default(1).describe('λ is drawn from Beta(alpha, alpha); 0 mixes nothing (λ = 1).'),
  lambda: z.enum(['batch', 'sample']).default('batch').describe('Draw one λ for the whole batch, or one per sample.'),
});

/** Weight λ of a sample against its partner, from Beta(α, α); 1 when α is 0 (Zhang et al. 2018, section 2). */
export const mixupLambda = (alpha: number, random: Random): number => (alpha > 0 ? random.beta(alpha, alpha) : 1);

/**
 * Partners and weights of a batch: x̃ᵢ = λᵢ xᵢ + (1 − λᵢ) x_pair(i).
 * The partners are a random permutation, drawn first, so that they do not depend on `alpha` or `lambda`.
 *
 * @returns `pair` `[B]`, a permutation of 0…B−1 (a sample may be its own partner), or of each replica's rows; `lambda`
 *   `[B]`
 */
export function mixupBatch(
  batch: Pick<Batch, 'size' | 'replicas'>,
  { alpha, lambda: per }: z.output<typeof options>,
  random: Random,
): { pair: Int32Array; lambda: Float32Array } {
  const pair = partners(batch, random);
  const lambda = new Float32Array(batch.size);
  if (per === 'sample') return { pair, lambda: lambda.map(() => mixupLambda(alpha, random)) };
  return { pair, lambda: lambda.fill(mixupLambda(alpha, random)) };
}

/**
 * Mixup: trains on convex combinations of two images of a batch, with labels weighted the same way.
 *
 * @example
 * ```ts
 * createTrainer({ data: { name: 'digits' }, model: { name: 'mlp' }, plugins: [mixup({ alpha: 1 })] });
 * ```
 * @example
 * ```yaml
 * plugins:
 *   - use: mixup
 *     alpha: 1
 * ```
 * @see Zhang et al., mixup: Beyond Empirical Risk Minimization, ICLR 2018, https://arxiv.org/abs/1710.09412
 */
export default definePlugin({
  name,
  options,
  provides: ['mix'],
  conflicts: ({ alpha }) => (alpha === 0 ? { relabel: 'alpha is 0: nothing is mixed, and no label changes.' } : {}),
  variants: () => ({ mix: ['input'] }),
  apply({ hooks, random }, options) {
    hooks.onBatch.tap({ name, stage: Order.Mix }, (batch, { epoch, step }) => ({
      ...batch,
      ...mixupBatch(batch, options, random(epoch, step)),
    }));
  },
});
