import { definePlugin, type Model, Order, type Predict, type Run, z } from 'tailmix';
import { validationNeeded } from './errors.ts';
import { fitTemperature } from './fit.ts';

const name = 'temperature';

const options = z.strictObject({});

const WEIGHT = `${name}/value`;

const withTemperature = (model: Model): Model => ({
  ...model,
  weights: [...model.weights, { name: WEIGHT, shape: [1], kind: 'state', initial: () => Float32Array.of(1) }],
});

/** Logits `[B, C]` over the temperature. */
const cooled =
  (predict: Predict): Predict =>
  (weights, ...given) =>
    predict(weights, ...given).div(weights[WEIGHT]!);

/**
 * Temperature scaling: one number that logits are divided by, fitted on the validation split after each of its evaluations.
 * Predictions stay what they are; their probabilities are calibrated. Test figures, checkpoints and exports have it.
 *
 * @example
 * ```ts
 * createTrainer({
 *   data: { name: 'digits', split: { validation: 0.1 } },
 *   model: { name: 'mlp' },
 *   plugins: [temperature()],
 * });
 * ```
 * @example
 * ```yaml
 * data: { name: digits, split: { validation: 0.1 } }
 * plugins:
 *   - use: temperature
 * ```
 * @see Guo et al., On Calibration of Modern Neural Networks, ICML 2017, https://arxiv.org/abs/1706.04599, section 4.2
 */
export default definePlugin({
  name,
  options,
  extendModel: withTemperature,
  apply({ hooks, info: { validationCount } }) {
    if (validationCount === 0) throw validationNeeded();
    let run: Run | null = null;
    let current = 1;
    hooks.onTrainBegin.tap(name, (begun) => {
      run = begun;
    });
    hooks.computeFigures.tap(name, (figures, { split, logits, labels }) => {
      if (split === 'test') return figures;
      // The logits are over the last temperature already.
      const fitted = current * fitTemperature(logits, labels);
      if (run) {
        current = fitted;
        run.write({ [WEIGHT]: Float32Array.of(current) });
      }
      return { ...figures, [name]: fitted };
    });
    hooks.buildPrediction.tap({ name, stage: Order.Observe }, cooled);
    return {
      save: () => current,
      load: (saved) => {
        current = saved as number;
      },
    };
  },
});
