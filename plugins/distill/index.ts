import { definePlugin, z } from 'tailmix';
import { networkBeside } from './beside.ts';
import { classesDiffer, teacherNeeded } from './errors.ts';
import { taught } from './loss.ts';
import { NAME as name, withTeacher } from './teacher.ts';

export { type NetworkBeside, networkBeside } from './beside.ts';
export { distillation, taught } from './loss.ts';
export { withTeacher } from './teacher.ts';

const options = z.strictObject({
  teacher: z
    .string()
    .min(1)
    .optional()
    .describe('A run (its directory, its name, or a checkpoint file); with `model` a file of published weights.'),
  model: z
    .record(z.string(), z.unknown())
    .optional()
    .describe('Section `model` of the teacher, where `teacher` is a file of weights.'),
  alpha: z.number().min(0).max(1).default(0.5).describe('Share of the teacher in the loss; the labels have the rest.'),
  temperature: z.number().positive().default(3).describe('T: what both logits are divided by.'),
  power: z
    .number()
    .positive()
    .max(1)
    .default(1)
    .describe(
      'Power of the teacher’s probabilities, which are then normalised; below 1 they are flatter. DiVE has 0.5.',
    ),
});

const beside = networkBeside(name);

/**
 * Distillation: the network also learns what a trained one, the teacher, says of each image. With a teacher and a loss of
 * balanced softmax it is DiVE, whose teacher gives virtual examples of rare classes.
 *
 * @example
 * ```ts
 * createTrainer({
 *   data: { name: 'digits' },
 *   model: { name: 'mlp' },
 *   plugins: [balancedSoftmax(), distill({ teacher: 'runs/first', alpha: 0.5, temperature: 3 })],
 * });
 * ```
 * @example
 * ```yaml
 * plugins:
 *   - use: balanced-softmax
 *   - use: distill
 *     teacher: runs/first
 *     alpha: 0.5
 *     temperature: 3
 * ```
 * @see He, Wu, Wei: Distilling Virtual Examples for Long-tailed Recognition, ICCV 2021, https://arxiv.org/abs/2103.15042
 */
export default definePlugin({
  name,
  options,
  provides: ['branches'],
  async prepare({ teacher, model }, tools) {
    if (teacher === undefined) throw teacherNeeded();
    return tools.network(teacher, model);
  },
  extendModel(model, _, task, prepared) {
    const { classes } = prepared;
    if (classes && classes.length !== task.classes) throw classesDiffer(classes.length, task.classes);
    return { ...model, weights: [...model.weights, ...beside.asState(prepared, task)] };
  },
  initialWeights: (context) => beside.values(context),
  apply({ hooks, info, prepared, warn }, chosen) {
    if (chosen.alpha === 0) warn('NO_EFFECT', 'alpha is 0: the teacher runs and changes nothing.');
    hooks.buildModel.tap(name, (forward) => {
      const { classes } = prepared;
      if (classes && classes.join('\n') !== info.classes.join('\n'))
        throw classesDiffer(classes.length, info.classes.length);
      return withTeacher(forward, beside.model(prepared, info));
    });
    hooks.buildLoss.tap(name, (loss) => taught(loss, chosen));
  },
});
