import { definePlugin, type Model, stopGradient, tf, z } from 'tailmix';
import { directions, projectedViews, twoViews, viewOptions, withContrast, withProjections } from 'tailmix/plugins/bcl';
import { probabilisticContrastiveLoss, updatedMeans } from './distribution.ts';

export { bessel } from './bessel.ts';
export {
  concentrations,
  contrastLogits,
  probabilisticContrastiveLoss,
  type RunningMeans,
  updatedMeans,
} from './distribution.ts';

const name = 'proco';

const options = viewOptions.extend({
  weight: z.number().min(0).default(1).describe('What the contrastive loss counts beside the loss of the classifier.'),
  dimension: z.int().min(2).default(128).describe('Length of what is compared.'),
});

const BEGIN = 'begin';
const [MEAN, COUNT, NEXT_MEAN, NEXT_COUNT] = ['mean', 'count', 'next-mean', 'next-count'].map(
  (part) => `${name}/${part}`,
) as [string, string, string, string];

/** Length of the means that the authors begin with. */
const FIRST_LENGTH = 0.9;

/**
 * The model with the means of each class's projected views as state: those of the last epoch and this one so far, which the
 * loss uses, and those of this epoch alone, which take their place when the next begins.
 */
function withClassMeans(model: Model, classes: number, dimension: number): Model {
  const mean = {
    shape: [classes, dimension],
    kind: 'state',
    initial: directions(classes, dimension, FIRST_LENGTH),
  } as const;
  const count = { shape: [classes], kind: 'state', initial: () => new Float32Array(classes) } as const;
  return {
    ...model,
    weights: [
      ...model.weights,
      { ...mean, name: MEAN },
      { ...count, name: COUNT },
      { ...mean, name: NEXT_MEAN },
      { ...count, name: NEXT_COUNT },
    ],
    forward(weights, images, pass) {
      const outputs = model.forward(weights, images, pass);
      if (!pass.training) return outputs;
      const begin = pass.inputs[`${name}/${BEGIN}`]!;
      const goOn = tf.sub(1, begin);
      const next = { mean: weights[NEXT_MEAN]!, count: weights[NEXT_COUNT]! };
      const views = stopGradient(projectedViews(name, outputs));
      const labels = tf.concat([pass.inputs.labels!, pass.inputs.labels!], 0);
      const used = updatedMeans(
        {
          mean: next.mean.mul(begin).add(weights[MEAN]!.mul(goOn)),
          count: next.count.mul(begin).add(weights[COUNT]!.mul(goOn)),
        },
        views,
        labels,
      );
      const ofEpoch = updatedMeans({ mean: next.mean, count: next.count.mul(goOn) }, views, labels);
      return {
        ...outputs,
        statistics: {
          ...outputs.statistics,
          [MEAN]: used.mean,
          [COUNT]: used.count,
          [NEXT_MEAN]: ofEpoch.mean,
          [NEXT_COUNT]: ofEpoch.count,
        },
      };
    },
  };
}

/**
 * Probabilistic contrastive learning: two more views of each image are compared with the distribution of the features of each
 * class, as if with infinitely many images of it.
 *
 * @example
 * ```ts
 * createTrainer({
 *   data: { name: 'digits' },
 *   model: { name: 'small-cnn', head: 'cosine', scale: 30 },
 *   plugins: [logitAdjustment(), proco({ weight: 1 })],
 * });
 * ```
 * @example
 * ```yaml
 * model: { name: small-cnn, head: cosine, scale: 30 }
 * plugins:
 *   - use: logit-adjustment
 *   - use: proco
 *     weight: 1
 * ```
 * @see Du et al., Probabilistic Contrastive Learning for Long-Tailed Visual Recognition, TPAMI 2024,
 *   https://arxiv.org/abs/2403.06726, section 3
 */
export default definePlugin({
  name,
  options,
  provides: ['branches'],
  rows: twoViews,
  inputs: () => ({ [BEGIN]: { shape: [], dtype: 'float32' } }),
  extendModel: (model, options, { classes }) =>
    withClassMeans(withProjections(name, model, options, { prototypes: false }), classes, options.dimension),
  apply({ hooks, info: { classCounts }, warn }, { weight, temperature }) {
    if (weight === 0) warn('NO_EFFECT', 'weight is 0: the views are loaded and change nothing.');
    hooks.onBatch.tap(name, (batch, { stepInEpoch }) => ({
      ...batch,
      inputs: { ...batch.inputs, [`${name}/${BEGIN}`]: Float32Array.of(stepInEpoch === 1 ? 1 : 0) },
    }));
    hooks.buildLoss.tap(name, (loss) =>
      withContrast(name, loss, weight, ({ views, labels, outputs: { statistics } }) =>
        probabilisticContrastiveLoss(views, labels, statistics[MEAN]!, { classCounts, temperature }),
      ),
    );
  },
});
