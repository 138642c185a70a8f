import { definePlugin, effectiveNumberWeights, inverseFrequencyWeights, z } from 'tailmix';
import { customWeightCount } from './errors.ts';

const name = 'reweight';

const options = z.strictObject({
  weights: z
    .enum(['effective-number', 'inverse', 'custom'])
    .default('effective-number')
    .describe('By effective number of images, by inverse frequency, or as listed in `custom`.'),
  beta: z.number().min(0).lt(1).default(0.9999).describe('β of the effective number.'),
  gamma: z.number().min(0).default(1).describe('Power of the inverse frequency; 0.5 is the square-root form.'),
  custom: z
    .array(z.number().positive())
    .optional()
    .describe('One weight per class, in label order; used as they are, without scaling.'),
});

/**
 * Class weights by the chosen rule; those computed from counts are scaled to sum to C.
 *
 * @param classCounts - `[C]`
 * @returns `[C]`
 * @throws {TailmixError} CLASS_WEIGHTS when `custom` is missing or not of length C.
 */
export function classWeightsOf(
  classCounts: readonly number[],
  { weights, beta, gamma, custom }: z.output<typeof options>,
): Float64Array {
  if (weights === 'effective-number') return effectiveNumberWeights(classCounts, beta);
  if (weights === 'inverse') return inverseFrequencyWeights(classCounts, gamma);
  if (custom?.length !== classCounts.length) throw customWeightCount(classCounts.length, custom?.length ?? 0);
  return Float64Array.from(custom);
}

/**
 * Re-weighting: multiplies the loss of each label by the weight of its class, from the first epoch on.
 *
 * @example
 * ```ts
 * createTrainer({
 *   data: { name: 'digits' },
 *   model: { name: 'mlp' },
 *   plugins: [reweight({ weights: 'inverse', gamma: 0.5 })],
 * });
 * ```
 * @example
 * ```yaml
 * plugins:
 *   - use: reweight
 *     weights: inverse
 *     gamma: 0.5
 * ```
 * @see Cui et al., Class-Balanced Loss Based on Effective Number of Samples, CVPR 2019,
 *   https://arxiv.org/abs/1901.05555
 */
export default definePlugin({
  name,
  options,
  corrects: ({ weights, gamma }) =>
    weights === 'custom' || (weights === 'inverse' && gamma === 0) ? null : 'class prior',
  apply({ hooks, info: { classCounts }, warn }, options) {
    if (options.custom && options.weights !== 'custom') {
      warn('NO_EFFECT', `custom is set but weights is "${options.weights}": the list is not used.`);
    }
    const classWeights = classWeightsOf(classCounts, options);
    hooks.computeClassWeights.tap(name, (weights) => weights.map((weight, c) => weight * classWeights[c]!));
  },
});
