import { definePlugin, type Forward, type Loss, mixStage, Order, rowsOf, tf, z } from 'tailmix';

const name = 'regmixup';

const options = z.strictObject({
  weight: z
    .number()
    .positive()
    .default(1)
    .describe('η: what the loss of the mixed rows counts beside that of the rows.'),
});

const OWN = 'weight';
const INPUT = `${name}/${OWN}`;
const PLAIN = `${name}/plain`;

/**
 * A forward pass over the trained rows twice, mixed and as they are, with one batch norm: `outputs` are those of the mixed
 * rows, `[B, …]`; the logits of the others, `[B, C]`, are `extras['regmixup/plain']`. In prediction it is the forward pass.
 */
export const mixedAndPlain =
  (forward: Forward): Forward =>
  (weights, images, pass) => {
    if (!pass.training) return forward(weights, images, pass);
    const mixesAt = pass.variants.mix && mixStage(pass.variants.mix);
    let size: number | undefined;
    const outputs = forward(weights, images, {
      ...pass,
      atStage(stage, features) {
        const mixed = pass.atStage(stage, features);
        if (stage !== mixesAt) return mixed;
        size = mixed.shape[0]!;
        return tf.concat([mixed, rowsOf(features, 0, size)], 0);
      },
    });
    const { logits, features, extras } = outputs;
    // Nothing was mixed: the rows are their own mixture.
    if (size === undefined) return { ...outputs, extras: { ...extras, [PLAIN]: logits } };
    return {
      ...outputs,
      logits: rowsOf(logits, 0, size),
      features: rowsOf(features, 0, size),
      extras: { ...extras, [PLAIN]: rowsOf(logits, size, size) },
    };
  };

/** What is scored, each part with its factor times `factor`. */
export const scoredTimes = (scored: Loss['scored'], factor: number): Loss['scored'] =>
  Object.fromEntries(
    Object.entries(scored).map(([part, scoredOf]): [string, typeof scoredOf] => [
      part,
      (outputs, pass) => {
        const own = scoredOf(outputs, pass);
        return { ...own, factor: factor * (own.factor ?? 1) };
      },
    ]),
  );

/**
 * `L(f(x), y) + η·L(f(x̃), ỹ)` (Pinto et al. 2022, section 3): what was scored so far is that of the mixed rows x̃, whose
 * labels ỹ a label rule may have changed; the rows as they are have their own label, with the weight of its class.
 */
export const regularised = (loss: Loss, weight: number): Loss => ({
  ...loss,
  scored: {
    ...scoredTimes(loss.scored, weight),
    [PLAIN]: ({ extras }, { inputs }) => ({ logits: extras![PLAIN]!, weight: inputs[INPUT]! }),
  },
});

/**
 * RegMixup: the loss of the images as they are, and that of mixed ones in addition. It works with any mixer; label rules
 * act on the mixed images alone.
 *
 * @example
 * ```ts
 * createTrainer({
 *   data: { name: 'digits' },
 *   model: { name: 'mlp' },
 *   plugins: [mixup({ alpha: 10 }), regmixup({ weight: 1 })],
 * });
 * ```
 * @example
 * ```yaml
 * plugins:
 *   - use: mixup
 *     alpha: 10
 *   - use: regmixup
 *     weight: 1
 * ```
 * @see Pinto et al., Using Mixup as a Regularizer Can Surprisingly Improve Accuracy and Out-of-Distribution Robustness,
 *   NeurIPS 2022, https://arxiv.org/abs/2206.14502
 */
export default definePlugin({
  name,
  options,
  requires: ['mix'],
  provides: ['branches'],
  inputs: () => ({ [OWN]: { shape: ['batch'], dtype: 'float32' } }),
  apply({ hooks, info: { classes } }, { weight }) {
    let classWeights: Float64Array = new Float64Array(classes.length).fill(1);
    hooks.computeClassWeights.tap({ name, stage: Order.Observe }, (weights, { rehearsal }) => {
      if (!rehearsal) classWeights = weights.slice();
      return weights;
    });
    hooks.onBatch.tap(name, (batch) => ({
      ...batch,
      inputs: {
        ...batch.inputs,
        [INPUT]: Float32Array.from({ length: batch.size }, (_, i) => classWeights[batch.labels[i]!]!),
      },
    }));
    hooks.buildModel.tap(name, mixedAndPlain);
    hooks.buildLoss.tap(name, (loss) => regularised(loss, weight));
  },
});
