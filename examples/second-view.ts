import { definePlugin, forwardRows, type Model, stopGradient, tf, z } from 'tailmix';

const name = 'second-view';
/** Rows, outputs and weights of a plugin begin with its name. */
const [VIEW, MEAN] = [`${name}/view`, `${name}/mean`];

const options = z.strictObject({
  weight: z.number().min(0).default(0.5).describe('Weight of the term beside the loss of the labels.'),
  decay: z.number().min(0).max(1).default(0.95).describe('Decay of the mean prediction, from step to step.'),
});

/** Probabilities `[B, C]` as if all classes were predicted equally often: p / mean, over its sum (Berthelot et al. 2020, section 3.1). */
export function aligned(probabilities: tf.Tensor, mean: tf.Tensor): tf.Tensor {
  const shifted = probabilities.div(mean.maximum(1e-6));
  return shifted.div(shifted.sum(1, true));
}

/** The model, run on the second view too, with the mean prediction as state. */
function withView(model: Model, classes: number, decay: number): Model {
  const initial = (): Float32Array => new Float32Array(classes).fill(1 / classes);
  return {
    ...model,
    weights: [...model.weights, { name: MEAN, shape: [classes], kind: 'state', initial }],
    forward(weights, images, pass) {
      const { outputs, groups } = forwardRows(model.forward, weights, images, pass, [VIEW]);
      // A prediction has no groups, and changes no state.
      if (!pass.training) return outputs;
      const mean = weights[MEAN]!;
      const now = stopGradient(tf.softmax(outputs.logits).mean(0));
      return {
        ...outputs,
        statistics: { ...outputs.statistics, [MEAN]: mean.mul(decay).add(now.mul(1 - decay)) },
        extras: { ...outputs.extras, [VIEW]: groups[VIEW]!.logits, [MEAN]: mean },
      };
    },
  };
}

/**
 * A plugin of your own, with rows, outputs, state and a figure: a second view of each image has to be given the probabilities of the
 * first, moved towards the classes that are predicted rarely.
 *
 * @see Berthelot et al., ReMixMatch: Semi-Supervised Learning with Distribution Alignment and Augmentation Anchoring, ICLR 2020
 */
export default definePlugin({
  name,
  options,
  provides: ['branches'],
  rows: () => ({ view: { view: true, augment: [{ name: 'pad-crop', padding: 2 }] } }),
  extendModel: (model, { decay }, { classes }) => withView(model, classes, decay),
  apply({ hooks, info: { classCounts } }, { weight }) {
    hooks.buildLoss.tap(name, (loss) => ({
      ...loss,
      terms: {
        ...loss.terms,
        [name]({ logits, extras }) {
          const target = stopGradient(aligned(tf.softmax(logits), extras![MEAN]!));
          return tf.logSoftmax(extras![VIEW]!).mul(target).sum(1).mul(-weight);
        },
      },
      figures: {
        ...loss.figures,
        [`${name}/same`]: ({ logits, extras }) =>
          tf.cast(tf.equal(logits.argMax(1), extras![VIEW]!.argMax(1)), 'float32').mean(),
      },
    }));
    const rarest = classCounts.indexOf(Math.min(...classCounts));
    hooks.computeFigures.tap(name, (figures, { evaluation: { perClass } }) =>
      perClass[rarest] == null ? figures : { ...figures, rarest: perClass[rarest] },
    );
  },
});
