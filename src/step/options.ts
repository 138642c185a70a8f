import { z } from 'zod';
import { DEVICE_CHOICE } from '../pjrt/choice.ts';

/** What differs between weights: options of every optimizer. */
const groupOptions = {
  groups: z
    .array(
      z
        .strictObject({
          match: z
            .string()
            .min(1)
            .describe(
              'Its weights, named as in `model.freeze`: `backbone`, `classifier`, or how names begin, `*` for any characters but `/`.',
            ),
          learningRate: z
            .number()
            .min(0)
            .optional()
            .describe('Before any schedule, which scales it as it scales the optimizer’s. Default: the optimizer’s.'),
          weightDecay: z.number().min(0).optional().describe('Default: the optimizer’s.'),
        })
        .refine(
          ({ learningRate, weightDecay }) => learningRate !== undefined || weightDecay !== undefined,
          'expected a learningRate or a weightDecay',
        ),
    )
    .optional()
    .describe(
      'Weights with a learning rate or weight decay of their own. A weight is in the first group that names it.',
    ),
  noDecay: z
    .array(z.enum(['norm', 'bias']))
    .optional()
    .describe(
      'Kinds of weights without weight decay, whatever their group: scales and shifts of norms, biases. Default: none.',
    ),
  layerDecay: z
    .number()
    .gt(0)
    .lte(1)
    .optional()
    .describe(
      'Factor of the learning rate from each block to the one before it: the classifier and what follows the last block have the whole rate, what precedes the first block the lowest. Default: 1.',
    ),
};

/** `train.optimizer` with `name: sgd`. */
export const sgd = z
  .strictObject({
    name: z.literal('sgd'),
    learningRate: z.number().positive().default(0.1).describe('Learning rate before any schedule.'),
    momentum: z.number().min(0).lt(1).default(0.9).describe('Momentum, in PyTorch’s form v = mu·v + g, w −= lr·v.'),
    nesterov: z.boolean().default(false).describe('Nesterov’s form: w −= lr·(g + mu·v).'),
    weightDecay: z
      .number()
      .min(0)
      .default(2e-4)
      .describe('Added to the gradient as decay·w, for every trained weight.'),
    ...groupOptions,
  })
  .describe('Stochastic gradient descent.');

/** `train.optimizer` with `name: adamw`. */
export const adamw = z
  .strictObject({
    name: z.literal('adamw'),
    learningRate: z.number().positive().default(1e-3).describe('Learning rate before any schedule.'),
    beta1: z.number().min(0).lt(1).default(0.9).describe('Decay of the first moment.'),
    beta2: z.number().min(0).lt(1).default(0.999).describe('Decay of the second moment.'),
    epsilon: z.number().positive().default(1e-8).describe('Added to the root of the second moment.'),
    weightDecay: z.number().min(0).default(0.01).describe('Decoupled: w −= lr·decay·w.'),
    ...groupOptions,
  })
  .describe('Adam with decoupled weight decay (Loshchilov and Hutter 2019).');

/** `train.optimizer`. */
export const optimizerOptions = z.discriminatedUnion('name', [sgd, adamw]);
export type OptimizerOptions = z.output<typeof optimizerOptions>;

/** What of `train` decides how a step computes. */
export const stepOptions = z.strictObject({
  reduction: z
    .enum(['weighted-mean', 'mean'])
    .default('weighted-mean')
    .describe('How weighted losses become one: divided by the sum of their weights, or by the batch size.'),
  optimizer: optimizerOptions
    .prefault({ name: 'sgd' })
    .describe('Gradient step: `sgd` or `adamw`. A plugin may provide another.'),
  precision: z
    .enum(['fp32', 'bf16'])
    .default('fp32')
    .describe('bf16: convolutions, norms and activations in bfloat16, where the hardware supports it; fp32 elsewhere.'),
  device: z
    .string()
    .regex(DEVICE_CHOICE, 'expected cpu, pjrt, pjrt:all, or numbers of devices such as pjrt:1 or pjrt:0,1')
    .optional()
    .describe(
      'What computes steps: `cpu`, TensorFlow; `pjrt`, the first device of a PJRT plugin, which TAILMIX_PJRT names or `tailmix setup --device` has set up; `pjrt:1`, another one; `pjrt:0,1` or `pjrt:all`, several, which share each batch. Default: pjrt where there is one that finds a device, else cpu.',
    ),
  matmul: z
    .enum(['fp32', 'tf32'])
    .optional()
    .describe(
      'How exactly a PJRT device multiplies float32 in convolutions and matrix products: `tf32` has 10 bits of mantissa where the device offers it. Default: fp32.',
    ),
  step: z
    .enum(['auto', 'captured', 'eager'])
    .default('auto')
    .describe('captured: one graph per signature; eager: op by op; auto: captured where it works.'),
});
export type StepOptions = z.output<typeof stepOptions>;
