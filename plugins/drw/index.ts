import { definePlugin, effectiveNumberWeights, epochOption, resolveEpoch, z } from 'tailmix';

const name = 'drw';

const options = z.strictObject({
  deferUntil: epochOption()
    .default(160)
    .describe(
      'Epochs of equal class weights, or a fraction of the run; with 160, classes are weighted from epoch 161 on.',
    ),
  beta: z.number().min(0).lt(1).default(0.9999).describe('β of the effective number of images.'),
});

export { effectiveNumberWeights };

/**
 * Class weights in an epoch (counted from 1): all 1 up to epoch `deferred`, by effective number afterwards.
 *
 * @param classCounts - `[C]`
 * @returns `[C]`, summing to C either way
 */
export function deferredClassWeights(
  classCounts: readonly number[],
  epoch: number,
  deferred: number,
  beta: number,
): Float64Array {
  return epoch > deferred ? effectiveNumberWeights(classCounts, beta) : new Float64Array(classCounts.length).fill(1);
}

/**
 * Deferred re-weighting: class weights of 1 up to `deferUntil`, by the inverse of the effective number of images
 * afterwards.
 *
 * @example
 * ```ts
 * createTrainer({ data: { name: 'digits' }, model: { name: 'mlp' }, plugins: [drw({ deferUntil: 0.8 })] });
 * ```
 * @example
 * ```yaml
 * plugins:
 *   - use: drw
 *     deferUntil: 0.8
 * ```
 * @see Cao et al., Learning Imbalanced Datasets with Label-Distribution-Aware Margin Loss, NeurIPS 2019,
 *   https://arxiv.org/abs/1906.07413, section 3.3
 */
export default definePlugin({
  name,
  options,
  corrects: ({ beta }) => (beta > 0 ? 'class prior' : null),
  apply({ hooks, info: { classCounts, epochs }, warn }, { deferUntil, beta }) {
    const deferred = resolveEpoch(deferUntil, epochs);
    if (deferred >= epochs) {
      warn('NO_EFFECT', `deferUntil ${deferUntil} is not before the last epoch, ${epochs}: the weights never change.`);
    }
    hooks.computeClassWeights.tap(name, (weights, { epoch }) => {
      const own = deferredClassWeights(classCounts, epoch, deferred, beta);
      return weights.map((weight, c) => weight * own[c]!);
    });
  },
});
