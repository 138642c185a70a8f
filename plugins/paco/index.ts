import { definePlugin, logPrior, Order, rowsOf, tf, z } from 'tailmix';
import { oneView, viewOptions } from 'tailmix/plugins/bcl';
import { parametricContrast } from './loss.ts';
import { ANCHORS, CONTRAST_LABELS, CONTRASTS, followed, LOGITS, NAME as name, SECOND, withQueue } from './model.ts';

export { type ContrastOptions, type Contrasts, parametricContrast } from './loss.ts';

const options = z.strictObject({
  form: z
    .enum(['paco', 'gpaco'])
    .default('paco')
    .describe('With a momentum encoder for second views (`paco`), or with both views as anchors and none (`gpaco`).'),
  alpha: z
    .number()
    .min(0)
    .default(0.02)
    .describe('What a row of the same class counts where the centre of the class counts 1.'),
  temperature: z.number().positive().default(0.05).describe('Cosines between rows are divided by it.'),
  centreTemperature: z.number().positive().default(1).describe('Logits of the centres are divided by it.'),
  smooth: z.number().min(0).lt(1).default(0).describe('How much of the centre’s share the other centres have.'),
  queue: z.int().positive().default(1024).describe('Second views of earlier steps that are kept.'),
  momentum: z.number().min(0).lt(1).default(0.999).describe('`paco`: share of the momentum encoder that is kept.'),
  hidden: z.int().positive().default(128).describe('Hidden units of the projection.'),
  dimension: z.int().positive().default(64).describe('Length of what is compared.'),
  augment: viewOptions.shape.augment,
});

/**
 * Parametric contrastive learning: one softmax over the classes' centres, which are the classifier, and over other images, of this
 * batch and of a queue. The classifier predicts.
 *
 * @example
 * ```ts
 * createTrainer({ data: { name: 'digits' }, model: { name: 'small-cnn' }, plugins: [paco({ queue: 512 })] });
 * ```
 * @example
 * ```yaml
 * model: { name: small-cnn }
 * plugins:
 *   - use: paco
 *     queue: 512
 * ```
 * @see Cui et al., Parametric Contrastive Learning, ICCV 2021, https://arxiv.org/abs/2107.12028
 * @see Cui et al., Generalized Parametric Contrastive Learning, TPAMI 2023, https://arxiv.org/abs/2209.12400
 */
export default definePlugin({
  name,
  options,
  provides: ['loss', 'branches'],
  corrects: () => 'class prior',
  conflicts: () => ({ smooth: 'the loss is one softmax over centres and images; its own option is `smooth`.' }),
  rows: (options) => ({ [SECOND]: oneView(options) }),
  extendModel: withQueue,
  apply({ hooks, info: { classCounts }, warn }, options) {
    const { form, momentum, alpha } = options;
    if (alpha === 0) warn('NO_EFFECT', 'alpha is 0: rows of the same class are not pulled together.');
    const prior = Array.from(logPrior(classCounts));
    hooks.buildLoss.tap(name, (loss) => ({
      ...loss,
      scored: {},
      terms: {
        ...loss.terms,
        [name]({ extras }, labels, { inputs }) {
          const size = inputs.labels!.shape[0]!;
          const compared = {
            anchors: extras![ANCHORS]!,
            contrasts: extras![CONTRASTS]!,
            contrastLabels: extras![CONTRAST_LABELS]!,
            logits: extras![LOGITS]!.add(tf.tensor1d(prior)),
          };
          if (form === 'paco') return parametricContrast(compared, labels, options);
          const both = parametricContrast(compared, tf.concat([labels, labels], 0), options);
          return rowsOf(both, 0, size)
            .add(rowsOf(both, size, size))
            .div(2);
        },
      },
    }));
    if (form === 'paco') {
      hooks.buildUpdate.tap({ name, stage: Order.Average }, (update) => followed(update, momentum));
    }
  },
});
