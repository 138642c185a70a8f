import { definePlugin, type ModelOutputs, tf, z } from 'tailmix';
import { expertLogits, logitsOf, withExperts } from 'tailmix/plugins/experts';
import { hardClasses, hardCrossEntropy, mutualDivergence } from './losses.ts';

export { hardClasses, hardCrossEntropy, mutualDivergence } from './losses.ts';

const name = 'ncl';

const options = z.strictObject({
  count: z.int().min(2).default(3).describe('K, the number of networks.'),
  hard: z
    .number()
    .gt(0)
    .max(1)
    .default(0.3)
    .describe(
      'Share of the classes that are hard for a row, its own and those that are likeliest; rounded, at least 2.',
    ),
  hardWeight: z.number().min(0).default(1).describe('What the cross-entropy on the hard classes counts.'),
  mutual: z
    .number()
    .min(0)
    .default(0.6)
    .describe('What the distillation between the networks counts, on all classes and on the hard ones.'),
});

/**
 * Nested collaborative learning: several whole networks, each with the balanced softmax, on all classes and on those that are
 * hard for an image, and each learning from the others. The mean of their logits predicts.
 *
 * @example
 * ```ts
 * createTrainer({ data: { name: 'digits' }, model: { name: 'small-cnn' }, plugins: [ncl({ count: 3 })] });
 * ```
 * @example
 * ```yaml
 * model: { name: small-cnn }
 * plugins:
 *   - use: ncl
 *     count: 3
 * ```
 * @see Li et al., Nested Collaborative Learning for Long-Tailed Visual Recognition, CVPR 2022,
 *   https://arxiv.org/abs/2203.15359, section 3
 */
export default definePlugin({
  name,
  options,
  provides: ['head', 'branches'],
  corrects: () => 'class prior',
  extendModel: (model, { count }) => withExperts(model, { count, shared: model.stages[0]!, plugin: name }),
  apply({ hooks, info: { classCounts }, warn }, { count, hard, hardWeight, mutual }) {
    if (mutual === 0) warn('NO_EFFECT', 'mutual is 0: the networks do not learn from each other.');
    const classes = classCounts.length;
    const hardCount = Math.min(classes, Math.max(2, Math.round(hard * classes)));
    // Logarithms of counts, not of shares: they say how far the zeros outside of the hard classes are below.
    const logCounts = classCounts.map((n) => Math.log(Math.max(n, 1)));
    const balanced = (outputs: ModelOutputs): tf.Tensor[] =>
      expertLogits(outputs, count, name).map((z) => z.add(tf.tensor1d(logCounts)));
    const maskOf = (outputs: ModelOutputs, labels: tf.Tensor): tf.Tensor =>
      hardClasses(expertLogits(outputs, count, name)[0]!, labels, hardCount);
    hooks.buildLoss.tap(name, (loss) => ({
      ...loss,
      scored: Object.fromEntries(
        Array.from({ length: count }, (_, i): [string, (typeof loss.scored)[string]] => [
          logitsOf(i + 1, name),
          (outputs) => ({ logits: balanced(outputs)[i]! }),
        ]),
      ),
      terms: {
        ...loss.terms,
        [name]: (outputs, labels) =>
          hardCrossEntropy(balanced(outputs), maskOf(outputs, labels), labels).mul(hardWeight),
      },
      penalties: {
        ...loss.penalties,
        [name]: (outputs, _, { inputs }) => {
          const logits = balanced(outputs);
          const mask = maskOf(outputs, inputs.labels!);
          return mutualDivergence(logits)
            .add(mutualDivergence(logits.map((z) => z.mul(mask))))
            .mul(mutual);
        },
      },
    }));
  },
});
