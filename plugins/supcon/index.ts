import { definePlugin, tf } from 'tailmix';
import { projected, supervisedContrastiveLoss, twoViews, viewOptions, withProjections } from 'tailmix/plugins/bcl';

const name = 'supcon';

/**
 * Supervised contrastive loss beside that of the classifier: two more views of each image are pulled to those of its class.
 *
 * @example
 * ```ts
 * createTrainer({ data: { name: 'digits' }, model: { name: 'small-cnn' }, plugins: [supcon({ temperature: 0.1 })] });
 * ```
 * @example
 * ```yaml
 * plugins:
 *   - use: supcon
 *     temperature: 0.1
 * ```
 * @see Khosla et al., Supervised Contrastive Learning, NeurIPS 2020, https://arxiv.org/abs/2004.11362, eq. 2
 */
export default definePlugin({
  name,
  options: viewOptions,
  provides: ['branches'],
  rows: twoViews,
  extendModel: (model, options) => withProjections(name, model, options, { prototypes: false }),
  apply({ hooks, info, warn }, { weight, temperature }) {
    if (weight === 0) warn('NO_EFFECT', 'weight is 0: the views are loaded and change nothing.');
    const { views } = projected(name);
    hooks.buildLoss.tap(name, (loss) => ({
      ...loss,
      penalties: {
        ...loss.penalties,
        [name]: ({ extras }, _, { inputs }) => {
          const labels = tf.concat([inputs.labels!, inputs.labels!], 0);
          return supervisedContrastiveLoss(extras![views]!, labels, info.classes.length, temperature).mul(weight);
        },
      },
    }));
  },
});
