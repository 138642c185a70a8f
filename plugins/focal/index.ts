import { definePlugin, softmaxCrossEntropy, type tf, z } from 'tailmix';

const name = 'focal';

const options = z.strictObject({
  gamma: z.number().min(0).default(2).describe('Focusing power γ; 0 is cross-entropy, the LDAM code has 1.'),
});

/** Floor of 1 − p, where p is 1 in float32: a power below 1 has no finite slope at 0. */
const SMALLEST = 1e-30;

/**
 * Softmax focal loss of each row, `−(1 − p_y)^γ log p_y`.
 *
 * @param logits - `[batch, C]`
 * @param labels - `[batch]` int32
 * @returns `[batch]`
 */
export function focalLoss(logits: tf.Tensor, labels: tf.Tensor, gamma: number): tf.Tensor {
  const crossEntropy = softmaxCrossEntropy(logits, labels);
  const missed = crossEntropy.neg().expm1().neg().maximum(SMALLEST);
  return missed.pow(gamma).mul(crossEntropy);
}

/**
 * Focal loss: softmax cross-entropy, scaled down for samples whose label already has a high probability.
 *
 * @example
 * ```ts
 * createTrainer({ data: { name: 'digits' }, model: { name: 'mlp' }, plugins: [focal({ gamma: 1 })] });
 * ```
 * @example
 * ```yaml
 * plugins:
 *   - use: focal
 *     gamma: 1
 * ```
 * @see Lin et al., Focal Loss for Dense Object Detection, ICCV 2017, https://arxiv.org/abs/1708.02002, in the softmax
 *   form of Cao et al., NeurIPS 2019
 */
export default definePlugin({
  name,
  options,
  provides: ['loss'],
  apply({ hooks }, { gamma }) {
    hooks.buildLoss.tap(name, (loss) => ({
      ...loss,
      termLoss: (logits, labels) => focalLoss(logits, labels, gamma),
    }));
  },
});
