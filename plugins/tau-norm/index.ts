import { definePlugin, type Model, type NamedTensors, tf, z } from 'tailmix';
import { classifierMissing } from './errors.ts';

const name = 'tau-norm';

const options = z.strictObject({
  tau: z
    .number()
    .min(0)
    .default(1)
    .describe('Power τ of the norm that each class vector is divided by; 0 leaves them, 1 makes all as long.'),
  bias: z
    .enum(['drop', 'keep'])
    .default('drop')
    .describe('Bias of the classifier in prediction: left out, as in the paper, or kept.'),
});

type Options = z.output<typeof options>;

const KERNEL = 'classifier/kernel';
const BIAS = 'classifier/bias';

/**
 * Whether the model has a classifier under the names that tailmix's own have.
 *
 * @throws {TailmixError} MODEL_WEIGHTS
 */
export function requireClassifier(plugin: string, model: Model): Model {
  if (!model.weights.some((weight) => weight.name === KERNEL)) throw classifierMissing(plugin, model.name);
  return model;
}

/**
 * `w_c / ‖w_c‖^τ` for the vector of each class c; a vector of zeros stays zeros.
 *
 * @param kernel - `[D, C]`, a class in each column
 * @returns `[D, C]`
 */
export const normalisedKernel = (kernel: tf.Tensor, tau: number): tf.Tensor =>
  kernel.div(tf.pow(kernel.square().sum(0).maximum(1e-24), tau / 2));

/** Weights with the classifier as it predicts. */
export const normalisedClassifier = (weights: NamedTensors, { tau, bias }: Options): NamedTensors => ({
  ...weights,
  [KERNEL]: normalisedKernel(weights[KERNEL]!, tau),
  ...(weights[BIAS] && bias === 'drop' ? { [BIAS]: tf.zerosLike(weights[BIAS]) } : {}),
});

/**
 * τ-normalised classifier: divides each class's classifier vector by a power of its norm in prediction; training is
 * unchanged.
 *
 * @example
 * ```ts
 * createTrainer({ data: { name: 'digits' }, model: { name: 'mlp' }, plugins: [tauNorm({ tau: 1 })] });
 * ```
 * @example
 * ```yaml
 * plugins:
 *   - use: tau-norm
 *     tau: 1
 * ```
 * @see Kang et al., Decoupling Representation and Classifier for Long-Tailed Recognition, ICLR 2020,
 *   https://arxiv.org/abs/1910.09217, section 4
 */
export default definePlugin({
  name,
  options,
  provides: ['head'],
  head: 'linear',
  corrects: ({ tau }) => (tau > 0 ? 'class prior' : null),
  extendModel: (model) => requireClassifier(name, model),
  apply({ hooks, warn }, options) {
    if (options.tau === 0 && options.bias === 'keep') warn('NO_EFFECT', 'tau is 0 and the bias is kept.');
    hooks.buildPrediction.tap(
      name,
      (predict) =>
        (weights, ...given) =>
          predict(normalisedClassifier(weights, options), ...given),
    );
  },
});
