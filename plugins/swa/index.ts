import { definePlugin, epochOption, type Model, Order, type Pass, resolveEpoch, z } from 'tailmix';
import { alsoAtAverages, averagedBy, predictingFrom, withAverages } from 'tailmix/plugins/ema';

const name = 'swa';

const options = z.strictObject({
  start: epochOption().default(0.75).describe('Epochs, or a fraction of the run, before weights are averaged.'),
  every: z.int().positive().default(1).describe('Epochs from one average to the next.'),
  normSteps: z
    .int()
    .min(0)
    .default(50)
    .describe(
      'Last steps of such an epoch, after its weights are taken, in which batch norm computes its statistics anew at the mean, from their images; 0: statistics are averaged as weights are.',
    ),
});

const KEPT = 'kept';
const PLACE = 'place';
const VARIANT = `${name}-norm`;

/** Which weights are averaged, and when: `start` in epochs, and `taken`, the step of an epoch after which its weights are taken. */
interface Moments {
  start: number;
  every: number;
  taken: number;
}

/** The step of an epoch after which weights are taken: the last one, less those that batch norm has, and the first at least. */
export const takenAt = (stepsPerEpoch: number, normSteps: number): number => Math.max(1, stepsPerEpoch - normSteps);

/** Whether there are statistics to compute anew: without any, and with 0 steps, averages are slots of the update alone. */
const hasNorm = ({ weights }: Model): boolean => weights.some(({ kind }) => kind === 'statistic');

/** Whether weights of an epoch are averaged; epochs count from 1. */
const isAveraged = (epoch: number, { start, every }: Moments): boolean =>
  epoch > start && (epoch - start - 1) % every === 0;

/**
 * Share of the average that a step keeps: 0 until the weights of the first epoch that is averaged are taken, so that the average is
 * the weights; n/(n + 1) where those of an epoch are taken, n being those before; else 1 (Izmailov et al. 2018,
 * algorithm 1).
 *
 * @param step - epoch and step count from 1
 */
export function keptShare({ epoch, stepInEpoch }: { epoch: number; stepInEpoch: number }, moments: Moments): number {
  const { start, every, taken } = moments;
  const passed = epoch - start - 1;
  if (passed < 0 || (passed === 0 && stepInEpoch <= taken)) return 0;
  if (isAveraged(epoch, moments) && stepInEpoch === taken) return passed / every / (passed / every + 1);
  return 1;
}

/** Which batch this is, from 1, of those that batch norm's statistics are computed from; 0 for none. */
export const normPlace = ({ epoch, stepInEpoch }: { epoch: number; stepInEpoch: number }, moments: Moments): number =>
  isAveraged(epoch, moments) ? Math.max(0, stepInEpoch - moments.taken) : 0;

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
  inputs: ({ normSteps }) => ({
    [KEPT]: { shape: [], dtype: 'float32' },
    ...(normSteps > 0 && { [PLACE]: { shape: [], dtype: 'float32' } }),
  }),
  variants: ({ normSteps }): Record<string, string[]> => (normSteps > 0 ? { [VARIANT]: ['weights', 'averages'] } : {}),
  extendModel: (model, { normSteps }) => (normSteps > 0 && hasNorm(model) ? withAverages(model, name) : model),
  apply({ hooks, info: { epochs, stepsPerEpoch }, warn }, { start, every, normSteps }) {
    const moments = { start: resolveEpoch(start, epochs), every, taken: takenAt(stepsPerEpoch, normSteps) };
    if (moments.start + every >= epochs) {
      warn(
        'NO_EFFECT',
        `one epoch at most is averaged: start is ${moments.start}, every ${every}, of ${epochs} epochs.`,
      );
    }
    hooks.onBatch.tap(name, (batch, moment) => {
      const place = normPlace(moment, moments);
      return {
        ...batch,
        inputs: {
          ...batch.inputs,
          [`${name}/${KEPT}`]: Float32Array.of(keptShare(moment, moments)),
          ...(normSteps > 0 && { [`${name}/${PLACE}`]: Float32Array.of(Math.max(1, place)) }),
        },
        ...(normSteps > 0 && { variants: { ...batch.variants, [VARIANT]: place > 0 ? 'averages' : 'weights' } }),
      };
    });
    // Around grad-accumulation: the end of an epoch need not be that of an update.
    hooks.buildUpdate.tap({ name, stage: Order.Accumulate + 1 }, (update) =>
      averagedBy(name, update, (_, { inputs }) => inputs[`${name}/${KEPT}`]!),
    );
    hooks.buildPrediction.tap({ name, stage: Order.Average }, predictingFrom(name));
    if (normSteps === 0) return;
    // The mean over batches, each as much as another, as `torch.optim.swa_utils.update_bn` takes it.
    hooks.buildModel.tap(
      { name, stage: Order.Observe },
      alsoAtAverages(name, {
        isDue: ({ variants }: Pass) => variants[VARIANT] === 'averages',
        momentum: 1,
        carry: (mean, ofBatch, { inputs }) => mean.add(ofBatch.sub(mean).div(inputs[`${name}/${PLACE}`]!)),
      }),
    );
  },
});
