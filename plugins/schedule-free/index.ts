import { definePlugin, type Forward, type Model, type NamedTensors, Order, type Predict } from 'tailmix';
import { NAME, options, own, scheduleFree } from './update.ts';

const VARIANT = `${NAME}-norm`;

/**
 * The model with an average x of each weight, and with statistics of batch norm for the averages. Weights of plugins that
 * come later have their average among the slots.
 */
const withAverages = (model: Model): Model => ({
  ...model,
  weights: [
    ...model.weights,
    ...model.weights
      .filter(({ kind }) => kind !== 'state')
      .map(({ name: weight, shape, kind, initial }) =>
        kind === 'statistic'
          ? { name: own(weight), shape, kind, initial }
          : {
              name: own(weight),
              shape,
              kind: 'state' as const,
              initial: (_: unknown, all?: Readonly<Record<string, Float32Array>>) => all![weight]!,
            },
      ),
  ],
});

/** Weights with what there is at the averages in their place. */
const atAverages = (weights: NamedTensors, slots: NamedTensors = {}): NamedTensors =>
  Object.fromEntries(
    Object.entries(weights).map(([weight, value]) => [weight, weights[own(weight)] ?? slots[own(weight)] ?? value]),
  );

/** A forward pass that in some steps also goes over the batch with the averages, for their statistics. */
export const alsoAtAverages =
  (forward: Forward): Forward =>
  (weights, images, pass) => {
    const outputs = forward(weights, images, pass);
    if (!pass.training || pass.variants[VARIANT] !== 'averages') return outputs;
    const { statistics } = forward(atAverages(weights), images, pass);
    const known = Object.keys(statistics).filter((statistic) => weights[own(statistic)]);
    return {
      ...outputs,
      statistics: {
        ...outputs.statistics,
        ...Object.fromEntries(known.map((statistic) => [own(statistic), statistics[statistic]!])),
      },
    };
  };

/** A prediction with the averages. */
export const withTheAverages =
  (predict: Predict): Predict =>
  (weights, slots, images, pass) =>
    predict(atAverages(weights, slots), slots, images, pass);

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
  extendModel: withAverages,
  apply({ hooks, info: { stepsPerEpoch, weightGroups = [] }, warn }, options) {
    if (weightGroups.length > 0)
      warn('NO_EFFECT', 'replaces the optimizer: rates and decays of groups of weights are not used.');
    hooks.buildUpdate.tap(NAME, () => scheduleFree(options));
    hooks.buildPrediction.tap({ name: NAME, stage: Order.Average }, withTheAverages);
    if (options.normSteps === 0) return;
    hooks.buildModel.tap({ name: NAME, stage: Order.Observe }, alsoAtAverages);
    hooks.onBatch.tap(NAME, (batch, { stepInEpoch }) => ({
      ...batch,
      variants: {
        ...batch.variants,
        [VARIANT]: stepInEpoch > stepsPerEpoch - options.normSteps ? 'averages' : 'weights',
      },
    }));
  },
});
