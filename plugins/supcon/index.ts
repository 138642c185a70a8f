import { definePlugin } from 'tailmix';
import { supervisedContrastiveLoss, twoViews, viewOptions, withContrast, withProjections } from 'tailmix/plugins/bcl';

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
    hooks.buildLoss.tap(name, (loss) =>
      withContrast(name, loss, weight, ({ views, labels }) =>
        supervisedContrastiveLoss(views, labels, info.classes.length, temperature),
      ),
    );
  },
});
