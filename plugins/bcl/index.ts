import { definePlugin } from 'tailmix';
import { requireClassifier } from 'tailmix/plugins/tau-norm';
import { balancedContrastiveLoss } from './contrastive.ts';
import { twoViews, viewOptions, withContrast, withProjections } from './views.ts';

export { balancedContrastiveLoss, supervisedContrastiveLoss } from './contrastive.ts';
export { directions, linear, linearWeights, type ProjectionSizes, project, projectionWeights } from './projection.ts';
export {
  type Contrasted,
  oneView,
  projectedViews,
  twoViews,
  type ViewOptions,
  viewOptions,
  withContrast,
  withProjections,
} from './views.ts';

const name = 'bcl';

/**
 * Balanced contrastive learning: two more views of each image are pulled to their class and its prototype, with every
 * class counting alike among what they are pushed from.
 *
 * @example
 * ```ts
 * createTrainer({
 *   data: { name: 'digits' },
 *   model: { name: 'small-cnn', head: 'cosine', scale: 30 },
 *   plugins: [logitAdjustment(), bcl({ weight: 0.3 })],
 * });
 * ```
 * @example
 * ```yaml
 * model: { name: small-cnn, head: cosine, scale: 30 }
 * plugins:
 *   - use: logit-adjustment
 *   - use: bcl
 *     weight: 0.3
 * ```
 * @see Zhu et al., Balanced Contrastive Learning for Long-Tailed Visual Recognition, CVPR 2022,
 *   https://arxiv.org/abs/2207.09052, section 3
 */
export default definePlugin({
  name,
  options: viewOptions,
  provides: ['branches'],
  rows: twoViews,
  extendModel: (model, options) => withProjections(name, requireClassifier(name, model), options, { prototypes: true }),
  apply({ hooks, warn }, { weight, temperature }) {
    if (weight === 0) warn('NO_EFFECT', 'weight is 0: the views are loaded and change nothing.');
    hooks.buildLoss.tap(name, (loss) =>
      withContrast(name, loss, weight, ({ views, labels, prototypes }) =>
        balancedContrastiveLoss(views, labels, prototypes!, temperature),
      ),
    );
  },
});
