import { definePlugin, Order, z } from 'tailmix';
import { mixupBatch } from 'tailmix/plugins/mixup';
import { unknownStage } from './errors.ts';

const name = 'manifold-mixup';

const usual: readonly string[] = ['input', 'stage1', 'stage2'];

const options = z.strictObject({
  stages: z
    .array(z.string().min(1))
    .min(1)
    .optional()
    .describe(
      'Stages of the model after which features may be mixed; each batch draws one. Default: input, stage1 and stage2, as far as the model has them.',
    ),
  alpha: z.number().min(0).default(2).describe('λ is drawn from Beta(alpha, alpha); 0 mixes nothing (λ = 1).'),
  lambda: z.enum(['batch', 'sample']).default('batch').describe('Draw one λ for the whole batch, or one per sample.'),
});

/**
 * Stages to draw from, each once.
 *
 * @param modelStages - those that the model has; the first is `input`
 * @throws {TailmixError} STAGE_UNKNOWN.
 */
export function mixingStages(stages: readonly string[] | undefined, modelStages: readonly string[]): string[] {
  const unknown = stages?.find((stage) => !modelStages.includes(stage));
  if (unknown !== undefined) throw unknownStage(unknown, modelStages);
  return [...new Set(stages ?? usual.filter((stage) => modelStages.includes(stage)))];
}

/**
 * Manifold Mixup: mixes the images of a batch, in pixels or in features, at a stage of the network that is drawn for
 * each batch.
 *
 * @example
 * ```ts
 * createTrainer({ data: { name: 'digits' }, model: { name: 'mlp' }, plugins: [manifoldMixup({ alpha: 2 })] });
 * ```
 * @example
 * ```yaml
 * plugins:
 *   - use: manifold-mixup
 *     alpha: 2
 * ```
 * @see Verma et al., Manifold Mixup: Better Representations by Interpolating Hidden States, ICML 2019,
 *   https://arxiv.org/abs/1806.05236
 */
export default definePlugin({
  name,
  options,
  provides: ['mix'],
  conflicts: ({ alpha }) => (alpha === 0 ? { relabel: 'alpha is 0: nothing is mixed, and no label changes.' } : {}),
  variants: ({ stages }, { modelStages }) => ({ mix: mixingStages(stages, modelStages) }),
  apply({ hooks, random, info: { modelStages } }, { stages, ...options }) {
    const eligible = mixingStages(stages, modelStages);
    hooks.onBatch.tap({ name, stage: Order.Mix }, (batch, { epoch, step }) => {
      const stream = random(epoch, step);
      const mix = eligible[stream.integer(eligible.length)]!;
      const mixed = mixupBatch(batch, options, stream);
      return { ...batch, ...mixed, variants: { ...batch.variants, mix } };
    });
  },
});
