import { definePlugin, imageWeights, Order, samplingRules, z } from 'tailmix';
import { requireClassifier } from 'tailmix/plugins/tau-norm';
import { ALPHA, NAME as name, SECOND, twoBranches } from './branches.ts';

const options = z.strictObject({
  weights: z
    .enum(samplingRules)
    .default('reverse')
    .describe(
      'Draw of the re-balancing branch: an image of a class with n images in proportion to 1/n² (`reverse`), or as in `resample`.',
    ),
  beta: z.number().min(0).lt(1).default(0.9999).describe('β of the effective number.'),
  schedule: z
    .enum(['parabolic', 'linear', 'cosine', 'equal'])
    .default('parabolic')
    .describe('α over the run: 1 − t², 1 − t, cos(πt/2), t being the share of the epochs that are done; or 1/2.'),
});

/**
 * Weight α of the conventional branch in an epoch: 1 − (T / T_max)², T epochs being done.
 *
 * @param epoch - counts from 1, for which α is 1
 * @param epochs - T_max
 */
export function branchWeight(
  epoch: number,
  epochs: number,
  { schedule }: Pick<z.output<typeof options>, 'schedule'>,
): number {
  const done = (epoch - 1) / epochs;
  switch (schedule) {
    case 'parabolic':
      return 1 - done ** 2;
    case 'linear':
      return 1 - done;
    case 'cosine':
      return Math.cos((done * Math.PI) / 2);
    case 'equal':
      return 0.5;
  }
}

/**
 * Bilateral-branch network: one branch sees the natural distribution, the other a draw that favours rare classes, and
 * the weight moves from the first to the second over the run.
 *
 * @example
 * ```ts
 * createTrainer({
 *   data: { name: 'digits' },
 *   model: { name: 'mlp' },
 *   train: { epochs: 200, optimizer: { name: 'sgd', nesterov: true } },
 *   plugins: [lrSchedule({ warmup: 0, milestones: [0.6, 0.8], gamma: 0.01 }), bbn()],
 * });
 * ```
 * @example
 * ```yaml
 * train: { epochs: 200, optimizer: { name: sgd, nesterov: true } }
 * plugins:
 *   - { use: lr-schedule, warmup: 0, milestones: [0.6, 0.8], gamma: 0.01 }
 *   - use: bbn
 * ```
 * @see Zhou et al., BBN: Bilateral-Branch Network with Cumulative Learning for Long-Tailed Visual Recognition, CVPR
 *   2020, https://arxiv.org/abs/1912.02413, section 4
 */
export default definePlugin({
  name,
  options,
  provides: ['mix', 'head', 'branches'],
  head: 'linear',
  corrects: () => 'class prior',
  inputs: () => ({ [ALPHA]: { shape: [], dtype: 'float32' } }),
  // No stage of the model: its branches mix by themselves.
  variants: () => ({ mix: [name] }),
  rows: (rule, { classCounts, epochs }) => ({
    [SECOND]: { weights: (epoch) => imageWeights(classCounts, rule, Math.min(epoch / epochs, 1)) },
  }),
  extendModel: (model) => twoBranches(requireClassifier(name, model)),
  apply({ hooks, info: { epochs } }, options) {
    hooks.onBatch.tap({ name, stage: Order.Mix }, (batch, { epoch }) => {
      const { size } = batch;
      const { start } = batch.groups[`${name}/${SECOND}`]!;
      const pair = Int32Array.from({ length: size }, (_, i) => start + i);
      const alpha = Math.fround(branchWeight(epoch, epochs, options));
      return {
        ...batch,
        pair,
        lambda: new Float32Array(size).fill(alpha),
        inputs: { ...batch.inputs, [`${name}/${ALPHA}`]: Float32Array.of(alpha) },
      };
    });
  },
});
