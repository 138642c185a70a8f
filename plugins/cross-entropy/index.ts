import { definePlugin, softmaxCrossEntropy, z } from 'tailmix';

const name = 'cross-entropy';

/**
 * Softmax cross-entropy, made explicit: a run without a loss plugin uses it anyway.
 *
 * @example
 * ```ts
 * createTrainer({ data: { name: 'digits' }, model: { name: 'mlp' }, plugins: [crossEntropy()] });
 * ```
 * @example
 * ```yaml
 * plugins:
 *   - use: cross-entropy
 * ```
 */
export default definePlugin({
  name,
  options: z.strictObject({}),
  provides: ['loss'],
  apply({ hooks }) {
    hooks.buildLoss.tap(name, (loss) => ({ ...loss, termLoss: softmaxCrossEntropy }));
  },
});
