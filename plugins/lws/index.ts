import { definePlugin, type Model, type ModelOutputs, type tf, z } from 'tailmix';

const name = 'lws';

const options = z.strictObject({
  classifier: z
    .enum(['frozen', 'trained'])
    .optional()
    .describe(
      'Whether the classifier is meant to be trained with the scales (MiSLAS). Default: frozen, the scales alone.',
    ),
});

const SCALE = `${name}/scale`;

/**
 * `s_c·z_c`: the classifier's logits, bias and all, each class by a factor of its own.
 *
 * @param scale - `[C]`
 */
export const scaledLogits = (outputs: ModelOutputs, scale: tf.Tensor): ModelOutputs => ({
  ...outputs,
  logits: outputs.logits.mul(scale),
});

/** The model with a factor for each class, 1 at first, behind its classifier. */
export const withScales = (model: Model, classes: number): Model => ({
  ...model,
  weights: [
    ...model.weights,
    { name: SCALE, shape: [classes], kind: 'norm', initial: () => new Float32Array(classes).fill(1) },
  ],
  forward: (weights, ...given) => scaledLogits(model.forward(weights, ...given), weights[SCALE]!),
});

/**
 * Learnable weight scaling: learns one scale per class logit, while everything else stays frozen after phase one.
 *
 * @example
 * ```ts
 * createTrainer({
 *   data: { name: 'digits' },
 *   model: { name: 'mlp' },
 *   phases: [
 *     { name: 'erm' },
 *     {
 *       name: 'lws',
 *       epochs: 5,
 *       model: { freeze: ['backbone', 'classifier'] },
 *       train: { optimizer: { name: 'sgd', learningRate: 0.2 } },
 *       plugins: [lrSchedule({ schedule: 'cosine', warmup: 0 }), resample({ weights: 'class-uniform' }), lws()],
 *     },
 *   ],
 * });
 * ```
 * @example
 * ```yaml
 * phases:
 *   - name: erm
 *   - name: lws
 *     epochs: 5
 *     model: { freeze: [backbone, classifier] }
 *     train: { optimizer: { name: sgd, learningRate: 0.2 } }
 *     plugins:
 *       - { use: lr-schedule, schedule: cosine, warmup: 0 }
 *       - { use: resample, weights: class-uniform }
 *       - use: lws
 * ```
 * @see Kang et al., Decoupling Representation and Classifier for Long-Tailed Recognition, ICLR 2020,
 *   https://arxiv.org/abs/1910.09217, section 4
 */
export default definePlugin({
  name,
  options,
  provides: ['head'],
  extendModel: (model, _, { classes }) => withScales(model, classes),
  apply({ info: { start }, warn }, { classifier = 'frozen' }) {
    const isHead = (entry: string): boolean => entry === 'classifier';
    const left = [
      ...(start.freeze.every(isHead) ? ['backbone'] : []),
      ...(start.freeze.some(isHead) || classifier === 'trained' ? [] : ['classifier']),
    ];
    if (left.length > 0) {
      warn(
        'NOT_INTENDED',
        `${left.join(' and ')} ${left.length > 1 ? 'are' : 'is'} trained in addition to the scales. Set model.freeze: [backbone${classifier === 'frozen' ? ', classifier' : ''}].`,
      );
    }
  },
});
