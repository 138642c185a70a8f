import { definePlugin, Order, z } from 'tailmix';

const name = 'mamix';

const options = z.strictObject({
  omega: z
    .number()
    .min(-1)
    .max(0)
    .default(-0.25)
    .describe('Margins of two classes are as n^omega; 0 leaves labels as the images are mixed.'),
});

/**
 * Label weight of a sample of a class with `ni` training images, mixed with one of a class with `nj`, where `lambda` is
 * the share of the first in the image. It runs linearly from 0 at λ = 0 over 1/2 at λ = kⱼ / (kᵢ + kⱼ) to 1 at λ = 1,
 * with k = n^ω: the rarer class has half of the label with less than half of the image.
 *
 * With the share λ′ = 1 − λ of the partner and t = kᵢ / (kᵢ + kⱼ), as in the reference code, this is 1 − λ′ / 2t for
 * λ′ ≤ t, else (1 − λ′) / 2(1 − t).
 *
 * @param lambda - in 0…1
 * @returns in 0…1
 */
export function mamixLambda(lambda: number, ni: number, nj: number, { omega }: z.output<typeof options>): number {
  if (ni === nj || omega === 0) return lambda;
  const t = 1 / (1 + (nj / ni) ** omega);
  return 1 - lambda <= t ? 1 - (1 - lambda) / (2 * t) : lambda / (2 * (1 - t));
}

/**
 * MAMix: weights the labels of a mixed pair by class margins, and leaves the mixed image unchanged. It works with any
 * mixer. Counts are those of the training set, whatever a sampler draws.
 *
 * @example
 * ```ts
 * createTrainer({ data: { name: 'digits' }, model: { name: 'mlp' }, plugins: [mixup(), mamix({ omega: -0.25 })] });
 * ```
 * @example
 * ```yaml
 * plugins:
 *   - use: mixup
 *   - use: mamix
 *     omega: -0.25
 * ```
 * @see Cheng et al., From SMOTE to Mixup for Deep Imbalanced Classification, TAAI 2023,
 *   https://arxiv.org/abs/2308.15457
 */
export default definePlugin({
  name,
  options,
  requires: ['mix'],
  provides: ['relabel'],
  apply({ hooks, info: { classCounts }, warn }, options) {
    if (options.omega === 0) warn('NO_EFFECT', 'omega is 0: no label will change.');
    else if (new Set(classCounts).size === 1) warn('NO_EFFECT', 'all classes are of one size: no label will change.');
    hooks.computeTargets.tap({ name, stage: Order.Relabel }, (targets) => {
      const { labels, pairLabels } = targets;
      const labelWeight = targets.labelWeight.map((lambda, i) =>
        mamixLambda(lambda, classCounts[labels[i]!]!, classCounts[pairLabels[i]!]!, options),
      );
      return { ...targets, labelWeight };
    });
  },
});
