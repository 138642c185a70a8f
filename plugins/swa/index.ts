import { definePlugin, epochOption, Order, resolveEpoch, z } from 'tailmix';
import { averagedBy, predictingFrom } from 'tailmix/plugins/ema';

const name = 'swa';

const options = z.strictObject({
  start: epochOption().default(0.75).describe('Epochs, or a fraction of the run, before weights are averaged.'),
  every: z.int().positive().default(1).describe('Epochs from one average to the next.'),
});

const KEPT = 'kept';

/**
 * Share of the average that a step keeps: 0 until the first epoch that is averaged has ended, so that the average is the
 * weights; n/(n + 1) at the end of an epoch that is averaged, n being those before; else 1 (Izmailov et al. 2018,
 * algorithm 1).
 *
 * @param step - epoch and step count from 1; `start` in epochs
 */
export function keptShare(
  { epoch, stepInEpoch }: { epoch: number; stepInEpoch: number },
  { start, every, stepsPerEpoch }: { start: number; every: number; stepsPerEpoch: number },
): number {
  const passed = epoch - start - 1;
  if (passed < 0) return 0;
  if (passed % every === 0 && stepInEpoch === stepsPerEpoch) return passed / every / (passed / every + 1);
  return passed === 0 ? 0 : 1;
}

/**
 * Stochastic weight averaging: the mean of the weights at the ends of the last epochs. Training is unchanged; evaluation uses the
 * mean.
 *
 * @example
 * ```ts
 * createTrainer({ data: { name: 'digits' }, model: { name: 'mlp' }, plugins: [swa({ start: 0.75 })] });
 * ```
 * @example
 * ```yaml
 * plugins:
 *   - use: swa
 *     start: 0.75
 * ```
 * @see Izmailov et al., Averaging Weights Leads to Wider Optima and Better Generalization, UAI 2018,
 *   https://arxiv.org/abs/1803.05407
 */
export default definePlugin({
  name,
  options,
  provides: ['average'],
  inputs: () => ({ [KEPT]: { shape: [], dtype: 'float32' } }),
  apply({ hooks, info: { epochs, stepsPerEpoch }, warn }, { start, every }) {
    const first = resolveEpoch(start, epochs);
    if (first + every >= epochs) {
      warn('NO_EFFECT', `one epoch at most is averaged: start is ${first}, every ${every}, of ${epochs} epochs.`);
    }
    hooks.onBatch.tap(name, (batch, moment) => ({
      ...batch,
      inputs: {
        ...batch.inputs,
        [`${name}/${KEPT}`]: Float32Array.of(keptShare(moment, { start: first, every, stepsPerEpoch })),
      },
    }));
    // Around grad-accumulation: the end of an epoch need not be that of an update.
    hooks.buildUpdate.tap({ name, stage: Order.Accumulate + 1 }, (update) =>
      averagedBy(name, update, (_, { inputs }) => inputs[`${name}/${KEPT}`]!),
    );
    hooks.buildPrediction.tap({ name, stage: Order.Average }, predictingFrom(name));
  },
});
