import { createModel, definePlugin, type ModelOptions, z } from 'tailmix';
import { classesDiffer, teacherNeeded } from './errors.ts';
import { taught } from './loss.ts';
import { asState, NAME as name, own, renormaliser, withTeacher } from './teacher.ts';

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
    const teacher = createModel(prepared.model as ModelOptions, task);
    return { ...model, weights: [...model.weights, ...asState(teacher)] };
  },
  async initialWeights({ info, prepared }) {
    const teacher = createModel(prepared.model as ModelOptions, {
      classes: info.classes.length,
      imageShape: info.imageShape,
    });
    const values = await prepared.weights(teacher);
    return Object.fromEntries(Object.entries(values).map(([weight, array]) => [own(weight), array]));
  },
  apply({ hooks, info, prepared, warn }, chosen) {
    if (chosen.alpha === 0) warn('NO_EFFECT', 'alpha is 0: the teacher runs and changes nothing.');
    hooks.buildModel.tap(name, (forward) => {
      const { model, classes, mean, std } = prepared;
      if (classes && classes.join('\n') !== info.classes.join('\n'))
        throw classesDiffer(classes.length, info.classes.length);
      const teacher = createModel(model as ModelOptions, { classes: info.classes.length, imageShape: info.imageShape });
      return withTeacher(forward, teacher, renormaliser(info, { mean: mean ?? info.mean, std: std ?? info.std }));
    });
    hooks.buildLoss.tap(name, (loss) => taught(loss, chosen));
  },
});
