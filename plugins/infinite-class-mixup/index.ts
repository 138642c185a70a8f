import { definePlugin, oneHot, type Pass, tf, z } from 'tailmix';

const name = 'infinite-class-mixup';

const options = z.strictObject({
  axes: z
    .enum(['both', 'classes', 'pairs'])
    .default('both')
    .describe(
      'What a pair is told from: the mixed classifiers of the batch (`classes`), its outputs (`pairs`), or both.',
    ),
});

type Options = z.output<typeof options>;

/**
 * The loss of each mixed pair: cross-entropy of its output under the mixed classifiers of all pairs (class axis), and of all
 * outputs under its mixed classifier (pair axis), the pair's own being right (Mensink and Mettes 2023, section 3). A mixed
 * classifier's output is the mixture of the logits, for it is linear in its vector.
 *
 * @param logits - `[B, C]`
 * @param mixtures - `[B, C]`, the shares of the classes in each pair
 * @returns `[B]`
 */
export function infiniteClassLoss(logits: tf.Tensor, mixtures: tf.Tensor, axes: Options['axes']): tf.Tensor {
  const outputs = tf.matMul(logits, mixtures, false, true);
  const own = logits.mul(mixtures).sum(1);
  const over = (axis: number): tf.Tensor => outputs.logSumExp(axis).sub(own);
  if (axes === 'classes') return over(1);
  return axes === 'pairs' ? over(0) : over(1).add(over(0));
}

/** `[B, C]`: what each class counts in the label of a row, after label rules and class weights; sums to 1. */
export function mixturesOf({ inputs }: Pass, classes: number): tf.Tensor {
  const { labels, weight, pairLabels, pairWeight } = inputs;
  const own = oneHot(labels!, classes);
  if (!pairLabels || !pairWeight) return own;
  const sum = weight!.add(pairWeight).expandDims(1);
  return own
    .mul(weight!.expandDims(1))
    .add(oneHot(pairLabels, classes).mul(pairWeight.expandDims(1)))
    .div(sum);
}

/**
 * Infinite Class Mixup: the target of a mixed pair is a classifier of its own, mixed from those of its two classes, which is
 * told from the other pairs' of the batch.
 *
 * @example
 * ```ts
 * createTrainer({
 *   data: { name: 'digits' },
 *   model: { name: 'mlp' },
 *   plugins: [mixup({ alpha: 0.2 }), infiniteClassMixup()],
 * });
 * ```
 * @example
 * ```yaml
 * plugins:
 *   - use: mixup
 *     alpha: 0.2
 *   - use: infinite-class-mixup
 *     axes: both
 * ```
 * @see Mensink and Mettes, Infinite Class Mixup, BMVC 2023, https://arxiv.org/abs/2305.10293
 */
export default definePlugin({
  name,
  options,
  requires: ['mix'],
  provides: ['loss'],
  conflicts: () => ({ smooth: 'the label of a pair is a classifier, and has nothing to smooth.' }),
  apply({ hooks, info: { classes } }, { axes }) {
    hooks.buildLoss.tap(name, (loss) => {
      const { logits: _, ...scored } = loss.scored;
      return {
        ...loss,
        scored,
        terms: {
          ...loss.terms,
          [name]: ({ logits }, __, pass) => infiniteClassLoss(logits, mixturesOf(pass, classes.length), axes),
        },
      };
    });
  },
});
