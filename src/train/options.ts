import { z } from 'zod';
import { cropNames } from '../data/transforms/augment.ts';
import { stepOptions } from '../step/options.ts';

/** `train`. */
export const trainOptions = z.strictObject({
  epochs: z.int().positive().default(200).describe('Passes over the training set.'),
  batchSize: z.int().positive().default(128).describe('Images per step.'),
  replicas: z
    .int()
    .positive()
    .optional()
    .describe(
      'Parts that each batch is trained in, as if on so many machines: each mixes its own images (but see `pairs`), and normalises them as `batchNorm` says; gradients, statistics and losses are averaged. It divides the batch size. Default: 1.',
    ),
  batchNorm: z
    .enum(['perReplica', 'synced'])
    .optional()
    .describe(
      'With replicas: batch norm by the images of each (`perReplica`, default), or by those of the whole batch (`synced`), which needs a captured step.',
    ),
  pairs: z
    .enum(['perReplica', 'global'])
    .optional()
    .describe(
      'With replicas: whether a plugin that mixes takes partners from the images of the same replica (`perReplica`, default), or from the whole batch (`global`), which is for mixing at the input alone.',
    ),
  dropLast: z.boolean().default(false).describe('Leave out a last batch that is not full.'),
  onNaN: z
    .union([
      z.enum(['stop', 'rollback']),
      z.strictObject({
        factor: z.number().gt(0).lt(1).default(0.5).describe('What learning rates are multiplied by each time.'),
        atMost: z.int().positive().default(3).describe('How often the run goes back before it fails.'),
      }),
    ])
    .optional()
    .describe(
      'What a run does whose loss, penalty or state becomes NaN or infinite: `stop` (default) fails; `rollback`, or a map of its options, goes back to the newest checkpoint with a lower learning rate.',
    ),
  ...stepOptions.shape,
});
export type TrainOptions = z.output<typeof trainOptions>;

/** `evaluate`. */
export const evaluateOptions = z.strictObject({
  crops: z
    .enum(cropNames)
    .optional()
    .describe(
      'What is evaluated of an image that is packed larger than the model takes it: its `centre`, or `five` crops (the corners and the centre), whose logits are averaged. Default: `centre`.',
    ),
  keepLogits: z
    .boolean()
    .optional()
    .describe(
      'Whether the run directory keeps the logits of the last evaluation, in half precision. Default: yes, up to 100 million numbers a split (200 MB). Does not affect results.',
    ),
  every: z.int().positive().default(1).describe('Epochs between evaluations; the last epoch is always evaluated.'),
  batchSize: z
    .int()
    .positive()
    .optional()
    .describe(
      'Images per forward pass. Default: 500 up to 32 × 32 pixels, fewer of larger images, at least train.batchSize, at most 500. Does not affect results.',
    ),
  groups: z
    .strictObject({
      manyAbove: z.int().min(0).default(100).describe('Classes with more training images are many-shot.'),
      fewBelow: z.int().min(0).default(20).describe('Classes with fewer training images are few-shot.'),
    })
    .refine(({ manyAbove, fewBelow }) => fewBelow <= manyAbove + 1, 'expected fewBelow to be at most manyAbove + 1')
    .prefault({})
    .describe('How classes are grouped by their number of training images.'),
});
