import { definePlugin, type GroupImages, inverseFrequencyWeights, z } from 'tailmix';
import { halfPrecision } from './errors.ts';
import { LABELS, metaWeighed, ROWS } from './meta-step.ts';
import { NAME as name, thetaOf } from './weight-net.ts';

export { type AdamState, adamState } from './adam-state.ts';
export { type ThetaOptions, thetaGradients, thetaOf, weightOf } from './weight-net.ts';

const options = z.strictObject({
  from: z
    .enum(['train', 'validation'])
    .default('train')
    .describe('Images that the meta rows are drawn from, classes alike. The paper holds them out: `validation`.'),
  hidden: z.int().positive().default(100).describe('Hidden units of the network that weighs losses.'),
  learningRate: z.number().positive().default(1e-3).describe('β: learning rate of its Adam, the same in all epochs.'),
  weightDecay: z.number().min(0).default(1e-4).describe('Factor of its weights in their gradient.'),
});

/** Chance of an image of each class, so that classes are drawn alike: `[C]`. */
function classesAlike({ labels }: GroupImages, classes: number): Float64Array {
  const counts = new Array<number>(classes).fill(0);
  for (const label of labels) counts[label]!++;
  return inverseFrequencyWeights(counts);
}

/**
 * Meta-Weight-Net: a small network says from a row's loss what it weighs, and learns it from what a step with these
 * weights does to a balanced batch.
 *
 * @example
 * ```ts
 * createTrainer({ data: { name: 'digits' }, model: { name: 'mlp' }, plugins: [metaWeightNet({ from: 'train' })] });
 * ```
 * @example
 * ```yaml
 * plugins:
 *   - use: meta-weight-net
 *     from: train
 * ```
 * @see Shu et al., Meta-Weight-Net: Learning an Explicit Mapping For Sample Weighting, NeurIPS 2019,
 *   https://arxiv.org/abs/1902.07379
 */
export default definePlugin({
  name,
  options,
  provides: ['branches'],
  corrects: () => 'class prior',
  rows: ({ from }, { classes }) => ({
    meta: { from, weights: (_, images) => classesAlike(images, classes.length) },
  }),
  inputs: () => ({ labels: { shape: ['batch'], dtype: 'int32' } }),
  extendModel: (model, { hidden }) => ({ ...model, weights: [...model.weights, ...thetaOf(hidden).weights] }),
  apply({ hooks }, { hidden, ...how }) {
    hooks.onTrainBegin.tap(name, ({ engine }) => {
      if (engine.precision === 'bf16') throw halfPrecision();
    });
    hooks.onBatch.tap(name, (batch) => {
      const { start, size } = batch.groups[ROWS]!;
      return { ...batch, inputs: { ...batch.inputs, [LABELS]: batch.labels.slice(start, start + size) } };
    });
    // Innermost: it takes core's parts, and what wraps gradients (sam) is to wrap these.
    hooks.buildGradients.tap({ name, stage: -1 }, (_, parts) => metaWeighed(parts, thetaOf(hidden), how));
  },
});
