import {
  type Batch,
  definePlugin,
  emptyInput,
  type HeldPlugin,
  type HookName,
  Order,
  pluginOption,
  type Random,
  z,
} from 'tailmix';
import { notChoosable } from './errors.ts';

const name = 'choose';

const options = z.strictObject({
  of: z
    .array(
      z.strictObject({
        plugin: pluginOption(),
        weight: z.number().positive().default(1).describe('How often this one is drawn, relative to the others.'),
      }),
    )
    .default([])
    .describe(
      'Mixers to draw from: plugin entries, each with a `weight` (default 1) that says how often it is drawn, relative to the others.',
    ),
});

/** Index drawn with the given odds. */
export function drawIndex(weights: readonly number[], random: Random): number {
  const sum = weights.reduce((a, b) => a + b, 0);
  let left = random.uniform() * sum;
  const index = weights.findIndex((weight) => {
    left -= weight;
    return left < 0;
  });
  return index < 0 ? weights.length - 1 : index;
}

/** A batch as the drawn mixer would find it alone; inputs of the others are filled with zeros. */
function batchFor({ variants }: HeldPlugin, mixers: readonly HeldPlugin[], batch: Batch): Batch {
  const first = Object.entries(variants).map(([variant, [value]]) => [variant, value!]);
  const unused = mixers.flatMap(({ inputs }) =>
    Object.entries(inputs).map(([input, spec]) => [input, emptyInput(spec, batch)]),
  );
  return {
    ...batch,
    variants: { ...batch.variants, ...Object.fromEntries(first) },
    inputs: { ...batch.inputs, ...Object.fromEntries(unused) },
  };
}

/**
 * Draws one of several mixers for each batch. The drawn mixer does to the batch exactly what it would do in a run of
 * its own: its random stream, declared inputs and extra draws are its own.
 *
 * @example
 * ```ts
 * createTrainer({
 *   data: { name: 'digits' },
 *   model: { name: 'mlp' },
 *   plugins: [choose({ of: [{ plugin: mixup({ alpha: 0.8 }) }, { plugin: cutmix(), weight: 2 }] })],
 * });
 * ```
 * @example
 * ```yaml
 * plugins:
 *   - use: choose
 *     of:
 *       - use: mixup
 *         alpha: 0.8
 *       - use: cutmix
 *         weight: 2
 * ```
 * @see timm's `mixup_switch_prob`, https://github.com/huggingface/pytorch-image-models, for two mixers
 */
export default definePlugin({
  name,
  options,
  provides: ['mix'],
  holds: 'of',
  apply({ hooks, random, held, warn }, { of }) {
    if (held.length === 0) {
      warn('NO_EFFECT', '`of` lists no mixer: nothing is mixed.');
      return;
    }
    for (const mixer of held) {
      for (const hook of Object.keys(mixer.hooks) as HookName[]) {
        const chosen = hook === 'onBatch' || hook === 'computeTargets';
        if (!chosen && mixer.hooks[hook].taps.length > 0) throw notChoosable(mixer.name, hook);
      }
    }
    const weights = of.map(({ weight }) => weight);
    const drawn = (epoch: number, step: number): HeldPlugin => held[drawIndex(weights, random(epoch, step))]!;
    hooks.onBatch.tap({ name, stage: Order.Mix }, (batch, ctx) => {
      const mixer = drawn(ctx.epoch, ctx.step);
      return mixer.hooks.onBatch.call(batchFor(mixer, held, batch), ctx);
    });
    hooks.computeTargets.tap({ name, stage: Order.Mix }, (targets, ctx) =>
      drawn(ctx.epoch, ctx.step).hooks.computeTargets.call(targets, ctx),
    );
  },
});
