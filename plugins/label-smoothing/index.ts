import { definePlugin, type Loss, Order, tf, z } from 'tailmix';

const name = 'label-smoothing';

const options = z.strictObject({
  epsilon: z
    .number()
    .min(0)
    .lt(1)
    .default(0.1)
    .describe('Share of the label that is spread evenly over all classes, its own included; 0 smooths nothing.'),
});

/** Cross-entropy towards the uniform distribution, −1/C Σ_c log softmax(z)_c: logits `[B, C]` → `[B]`. */
export const uniformCrossEntropy = (logits: tf.Tensor): tf.Tensor => tf.logSoftmax(logits).mean(1).neg();

/**
 * The loss of a term with a softened label: (1 − ε)·L(z, y) + ε·CE(z, uniform).
 * For cross-entropy this is the cross-entropy with 1 − ε + ε/C for y and ε/C for every other class.
 *
 * @param epsilonOf - labels `[B]` int32 → ε of each, `[B]` or a number
 */
export function smoothed(loss: Loss, epsilonOf: (labels: tf.Tensor) => tf.Tensor | number): Loss {
  return {
    ...loss,
    termLoss(logits, labels, pass) {
      const epsilon = epsilonOf(labels);
      const hard = loss.termLoss(logits, labels, pass).mul(tf.sub(1, epsilon));
      return hard.add(uniformCrossEntropy(logits).mul(epsilon));
    },
  };
}

/**
 * Label smoothing: spreads a part of every label evenly over all classes.
 *
 * @example
 * ```ts
 * createTrainer({ data: { name: 'digits' }, model: { name: 'mlp' }, plugins: [labelSmoothing({ epsilon: 0.1 })] });
 * ```
 * @example
 * ```yaml
 * plugins:
 *   - use: label-smoothing
 *     epsilon: 0.1
 * ```
 * @see Szegedy et al., Rethinking the Inception Architecture for Computer Vision, CVPR 2016, section 7,
 *   https://arxiv.org/abs/1512.00567
 */
export default definePlugin({
  name,
  options,
  provides: ['smooth'],
  apply({ hooks, warn }, { epsilon }) {
    if (epsilon === 0) warn('NO_EFFECT', 'epsilon is 0: nothing is smoothed.');
    else hooks.buildLoss.tap({ name, stage: Order.Smooth }, (loss) => smoothed(loss, () => epsilon));
  },
});
