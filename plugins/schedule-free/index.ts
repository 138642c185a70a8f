import { definePlugin, Order, type Pass } from 'tailmix';
import { alsoAtAverages, predictingFrom, withAverages } from 'tailmix/plugins/ema';
import { NAME, options, scheduleFree } from './update.ts';

const VARIANT = `${NAME}-norm`;

/**
 * Schedule-free learning: a constant rate, gradients between fast weights and their average, and the average predicts.
 *
 * @example
 * ```ts
 * createTrainer({ data: { name: 'digits' }, model: { name: 'mlp' }, plugins: [scheduleFree({ momentum: 0.9 })] });
 * ```
 * @example
 * ```yaml
 * plugins:
 *   - use: schedule-free
 *     momentum: 0.9
 * ```
 * @see Defazio et al., The Road Less Scheduled, NeurIPS 2024, https://arxiv.org/abs/2405.15682
 */
export default definePlugin({
  name: NAME,
  options,
  provides: ['optimizer', 'average'],
  variants: ({ normSteps }): Record<string, string[]> => (normSteps > 0 ? { [VARIANT]: ['weights', 'averages'] } : {}),
  extendModel: (model) => withAverages(model, NAME),
  apply({ hooks, info: { stepsPerEpoch, weightGroups = [] }, warn }, options) {
    if (weightGroups.length > 0)
      warn('NO_EFFECT', 'replaces the optimizer: rates and decays of groups of weights are not used.');
    hooks.buildUpdate.tap(NAME, () => scheduleFree(options));
    hooks.buildPrediction.tap({ name: NAME, stage: Order.Average }, predictingFrom(NAME));
    if (options.normSteps === 0) return;
    const isDue = ({ variants }: Pass): boolean => variants[VARIANT] === 'averages';
    hooks.buildModel.tap({ name: NAME, stage: Order.Observe }, alsoAtAverages(NAME, { isDue }));
    hooks.onBatch.tap(NAME, (batch, { stepInEpoch }) => ({
      ...batch,
      variants: {
        ...batch.variants,
        [VARIANT]: stepInEpoch > stepsPerEpoch - options.normSteps ? 'averages' : 'weights',
      },
    }));
  },
});
