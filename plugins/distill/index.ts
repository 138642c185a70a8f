import {
  createModel,
  definePlugin,
  type Model,
  type ModelOptions,
  type NetworkFacts,
  type RunInfo,
  type Task,
  z,
} from 'tailmix';
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

const teacherOf = ({ model }: NetworkFacts, task: Task): Model => createModel(model as ModelOptions, task);
const taskOf = ({ classes, imageShape }: RunInfo): Task => ({ classes: classes.length, imageShape });

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
    return { ...model, weights: [...model.weights, ...asState(teacherOf(prepared, task))] };
  },
  async initialWeights({ info, prepared }) {
    const values = await prepared.weights(teacherOf(prepared, taskOf(info)));
    return Object.fromEntries(Object.entries(values).map(([weight, array]) => [own(weight), array]));
  },
  apply({ hooks, info, prepared, warn }, chosen) {
    if (chosen.alpha === 0) warn('NO_EFFECT', 'alpha is 0: the teacher runs and changes nothing.');
    hooks.buildModel.tap(name, (forward) => {
      const { classes, mean, std } = prepared;
      if (classes && classes.join('\n') !== info.classes.join('\n'))
        throw classesDiffer(classes.length, info.classes.length);
      const norm = { mean: mean ?? info.mean, std: std ?? info.std };
      return withTeacher(forward, teacherOf(prepared, taskOf(info)), renormaliser(info, norm));
    });
    hooks.buildLoss.tap(name, (loss) => taught(loss, chosen));
  },
});
