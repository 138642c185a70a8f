import { definePlugin, oneHot, tf, z } from 'tailmix';

const name = 'focal-sigmoid';

const options = z.strictObject({
  gamma: z.number().min(0).default(2).describe('Focusing power γ; 0 is binary cross-entropy over all classes.'),
  initialBias: z
    .enum(['rare', 'none'])
    .default('rare')
    .describe('`rare` starts every class at probability 1/C: a bias of −log(C − 1), out of reach of weight decay.'),
});

/**
 * Focal loss of C binary outputs, summed over them: `Σ_c −(1 − p_c)^γ log p_c` for the label,
 * `−p_c^γ log(1 − p_c)` for every other class, with `p = sigmoid(logits)`.
 *
 * @param logits - `[batch, C]`
 * @param labels - `[batch]` int32
 * @returns `[batch]`
 */
export function sigmoidFocalLoss(logits: tf.Tensor, labels: tf.Tensor, gamma: number): tf.Tensor {
  const isLabel = oneHot(labels, logits.shape[1]!);
  // In terms of the wrong answer's logit t, −log(1 − sigmoid(t)) is softplus(t) and sigmoid(t)^γ is exp(−γ·softplus(−t)).
  const wrong = logits.mul(tf.sub(1, isLabel.mul(2)));
  const modulation = tf.softplus(wrong.neg()).mul(-gamma).exp();
  return tf.softplus(wrong).mul(modulation).sum(1);
}

/** Bias at which every one of C binary outputs has probability 1/C; 0 where there is one class. */
export const rareBias = (classes: number): number => -Math.log(Math.max(classes - 1, 1));

/**
 * Focal loss over C binary classifiers, one per class, whose losses are summed: the form that the class-balanced loss
 * uses.
 *
 * @example
 * ```ts
 * createTrainer({
 *   data: { name: 'digits' },
 *   model: { name: 'mlp' },
 *   plugins: [focalSigmoid({ gamma: 1 }), reweight({ weights: 'effective-number' })],
 *   train: { reduction: 'mean' },
 * });
 * ```
 * @example
 * ```yaml
 * plugins:
 *   - use: focal-sigmoid
 *     gamma: 1
 *   - use: reweight
 *     weights: effective-number
 * train:
 *   reduction: mean
 * ```
 * @see Lin et al., Focal Loss for Dense Object Detection, ICCV 2017, https://arxiv.org/abs/1708.02002; Cui et al.,
 *   Class-Balanced Loss Based on Effective Number of Samples, CVPR 2019, https://arxiv.org/abs/1901.05555
 */
export default definePlugin({
  name,
  options,
  provides: ['loss'],
  apply({ hooks, info: { classes } }, { gamma, initialBias }) {
    const bias = initialBias === 'rare' ? rareBias(classes.length) : 0;
    hooks.buildLoss.tap(name, (loss) => ({
      ...loss,
      adjustLogits: (...given) => loss.adjustLogits(...given).add(bias),
      termLoss: (logits, labels) => sigmoidFocalLoss(logits, labels, gamma),
    }));
  },
});
