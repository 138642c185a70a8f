import { definePlugin, epochOption, type InputSpec, resolveEpoch, tf, z } from 'tailmix';
import { testTimeAggregation } from './adapt.ts';
import { countMismatch } from './errors.ts';
import { diversity, expertOffsets, methods, temperatures } from './losses.ts';
import { expertLogits, logitsOf, NAME as name, sharedStage, withExperts } from './model.ts';

export { expertLogits, logitsOf, withExperts } from './model.ts';

const options = z.strictObject({
  method: z
    .enum(methods)
    .default('balpoe')
    .describe(
      'How the losses of the experts differ: by their priors (`balpoe`, `sade`), or by being pushed apart (`ride`).',
    ),
  count: z.int().min(2).default(3).describe('K, the number of experts; `sade` has three.'),
  shared: z
    .string()
    .optional()
    .describe(
      'Last stage that the experts share; the last of all gives each a classifier alone. Default: all but the last two stages before the features.',
    ),
  tau: z
    .array(z.number())
    .optional()
    .describe('`balpoe`: τ of each expert, their mean 1. Default: evenly from 0 to 2.'),
  inverseTau: z
    .number()
    .min(0)
    .default(2)
    .describe('`sade`: how much the third expert is turned towards rare classes.'),
  diversity: z
    .number()
    .min(0)
    .default(0.45)
    .describe('`ride`: factor of the diversity that is rewarded; the authors use 0.2 to 0.45.'),
  deferUntil: epochOption()
    .default(0.8)
    .describe('`ride`: epochs, or a fraction of the run, with one temperature for all classes.'),
});

type Options = z.output<typeof options>;

const TEMPERATURE = 'temperature';
const INPUT = `${name}/${TEMPERATURE}`;

const isDiverse = ({ method, diversity: factor }: Options): boolean => method === 'ride' && factor > 0;

/** @throws {TailmixError} EXPERTS_COUNT */
function checkCount({ method, count, tau }: Options): void {
  if (method === 'sade' && count !== 3) throw countMismatch('count', '3 experts for sade', String(count));
  if (method === 'balpoe' && tau && tau.length !== count) {
    throw countMismatch('tau', `${count} numbers, one for each expert (count)`, String(tau.length));
  }
}

/**
 * Several experts on one trunk, each with the last stages and a classifier of its own: BalPoE, SADE or RIDE. The mean of
 * their logits predicts.
 *
 * @example
 * ```ts
 * createTrainer({
 *   data: { name: 'digits' },
 *   model: { name: 'resnet32', head: 'cosine', scale: 30 },
 *   plugins: [experts({ method: 'balpoe' }), mixup({ alpha: 0.4 })],
 * });
 * ```
 * @example
 * ```yaml
 * model: { name: resnet32, head: cosine, scale: 30 }
 * plugins:
 *   - { use: experts, method: balpoe }
 *   - { use: mixup, alpha: 0.4 }
 * ```
 * @see Aimar et al., Balanced Product of Calibrated Experts for Long-Tailed Recognition, CVPR 2023,
 *   https://arxiv.org/abs/2206.05260
 * @see Zhang et al., Self-Supervised Aggregation of Diverse Experts for Test-Agnostic Long-Tailed Recognition, NeurIPS
 *   2022, https://arxiv.org/abs/2107.09249
 * @see Wang et al., Long-tailed Recognition by Routing Diverse Distribution-Aware Experts, ICLR 2021,
 *   https://arxiv.org/abs/2010.01809
 */
export default definePlugin({
  name,
  options,
  provides: ['head', 'branches'],
  corrects: ({ method }) => (method === 'ride' ? null : 'class prior'),
  inputs: (chosen, { classes }): Record<string, InputSpec> =>
    isDiverse(chosen) ? { [TEMPERATURE]: { shape: [classes.length], dtype: 'float32' } } : {},
  extendModel(model, { count, shared = sharedStage(model) }) {
    return withExperts(model, { count, shared });
  },
  adapt: ({ count }, { classes }) => testTimeAggregation(count, classes.length),
  apply({ hooks, info: { classCounts, epochs }, warn }, chosen) {
    checkCount(chosen);
    const { method, count, diversity: factor, deferUntil, tau } = chosen;
    if (tau && method !== 'balpoe') warn('NO_EFFECT', `tau is of balpoe; ${method} has none.`);
    const mean = tau && tau.reduce((sum, one) => sum + one, 0) / tau.length;
    if (method === 'balpoe' && mean !== undefined && Math.abs(mean - 1) > 1e-9) {
      warn(
        'NOT_INTENDED',
        `the mean of tau is ${mean}: only with 1 is the mean of the experts right for balanced classes.`,
      );
    }
    const offsets = expertOffsets(classCounts, chosen);
    const share = method === 'balpoe' ? 1 / count : 1;
    hooks.buildLoss.tap(name, (loss) => ({
      ...loss,
      scored: Object.fromEntries(
        offsets.map((offset, i) => [
          logitsOf(i + 1),
          (outputs) => {
            const logits = expertLogits(outputs, count)[i]!;
            return { logits: offset ? logits.add(tf.tensor1d(Array.from(offset))) : logits, factor: share };
          },
        ]),
      ),
      penalties: isDiverse(chosen)
        ? {
            ...loss.penalties,
            [name]: (outputs, _, { inputs }) =>
              diversity(expertLogits(outputs, count), outputs.logits, inputs[INPUT]!).mul(-factor),
          }
        : loss.penalties,
    }));
    if (!isDiverse(chosen)) return;
    const deferred = resolveEpoch(deferUntil, epochs);
    hooks.onBatch.tap(name, (batch, { epoch }) => ({
      ...batch,
      inputs: { ...batch.inputs, [INPUT]: temperatures(classCounts, epoch > deferred) },
    }));
  },
});
