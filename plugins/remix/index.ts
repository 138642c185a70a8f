import { definePlugin, Order, z } from 'tailmix';

const name = 'remix';

const options = z.strictObject({
  kappa: z
    .union([z.number().gt(1), z.literal(Number.POSITIVE_INFINITY)])
    .default(3)
    .describe('Ratio of class counts from which the rarer class takes the whole label; `.inf` relabels nothing.'),
  tau: z
    .number()
    .min(0)
    .max(1)
    .default(0.5)
    .describe('Relabel only where the frequent class has less than this share of the image; 0 relabels nothing.'),
});

/**
 * Label weight of a sample of a class with `ni` training images, mixed with one of a class with `nj`, where `lambda`
 * is the share of the first in the image (Chou et al. 2020, eq. 10).
 *
 * Exact for a decimal κ as it is written: a quotient is rounded correctly, so one that equals κ becomes the number that κ
 * became. A product is not exact: 1.1 · 50 > 55. (Ratios on either side of κ stay apart while counts times the
 * denominator of κ are below 2^52: six decimals and 10^9 images.)
 *
 * @param lambda - in 0…1; it stays the weight of the pixels, whatever this returns
 * @returns 0: the label is the partner's alone; 1: it is the sample's alone; else `lambda`
 */
export function remixLambda(lambda: number, ni: number, nj: number, { kappa, tau }: z.output<typeof options>): number {
  if (ni / nj >= kappa && lambda < tau) return 0;
  if (nj / ni >= kappa && 1 - lambda < tau) return 1;
  return lambda;
}

/**
 * Remix: gives the label of a mixed pair to its rarer class where class counts differ enough, and leaves the mixed
 * image unchanged. It works with any mixer. Counts are those of the training set, whatever a sampler draws.
 *
 * @example
 * ```ts
 * createTrainer({
 *   data: { name: 'digits' },
 *   model: { name: 'mlp' },
 *   plugins: [mixup(), remix({ kappa: 3, tau: 0.5 })],
 * });
 * ```
 * @example
 * ```yaml
 * plugins:
 *   - use: mixup
 *   - use: remix
 *     kappa: 3
 *     tau: 0.5
 * ```
 * @see Chou et al., Remix: Rebalanced Mixup, ECCV Workshops 2020, https://arxiv.org/abs/2007.03943
 */
export default definePlugin({
  name,
  options,
  requires: ['mix'],
  provides: ['relabel'],
  apply({ hooks, info: { classCounts }, warn }, options) {
    const ratio = Math.max(...classCounts) / Math.min(...classCounts);
    if (options.kappa > ratio) {
      warn(
        'NO_EFFECT',
        `kappa ${options.kappa} is above the data's ratio of ${Number(ratio.toPrecision(4))}: no label will change.`,
      );
    } else if (options.tau === 0) {
      warn('NO_EFFECT', 'tau is 0: no label will change.');
    }
    hooks.computeTargets.tap({ name, stage: Order.Relabel }, (targets) => {
      const { labels, pairLabels } = targets;
      const labelWeight = targets.labelWeight.map((lambda, i) =>
        remixLambda(lambda, classCounts[labels[i]!]!, classCounts[pairLabels[i]!]!, options),
      );
      return { ...targets, labelWeight };
    });
  },
});
