import {
  createModel,
  definePlugin,
  type Forward,
  type Loss,
  type Model,
  type ModelOptions,
  mixStage,
  tf,
  z,
} from 'tailmix';
import { classesDiffer, stageMissing, teacherNeeded } from './errors.ts';

const name = 'distill';

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

const LOGITS = `${name}/teacher`;

/**
 * `T²·KL(t ‖ softmax(z / T))` of each row, with `t ∝ softmax(u / T)^power` (He et al. 2021, eqs. 5, 8 and 9; Hinton et al. 2015).
 *
 * @param student - z, `[B, C]`
 * @param teacher - u, `[B, C]`
 * @returns `[B]`
 */
export function distillation(
  student: tf.Tensor,
  teacher: tf.Tensor,
  { temperature, power }: { temperature: number; power: number },
): tf.Tensor {
  const target = tf.logSoftmax(teacher.mul(power / temperature));
  const divergence = target.exp().mul(target.sub(tf.logSoftmax(student.div(temperature))));
  return divergence.sum(1).mul(temperature ** 2);
}

/** Teacher and labels share the loss: what was scored counts 1 − α, the divergence α. */
export const taught = (loss: Loss, { alpha, ...how }: { alpha: number; temperature: number; power: number }): Loss => ({
  ...loss,
  scored: Object.fromEntries(
    Object.entries(loss.scored).map(([part, scoredOf]): [string, typeof scoredOf] => [
      part,
      (outputs, pass) => {
        const scored = scoredOf(outputs, pass);
        return { ...scored, factor: (1 - alpha) * (scored.factor ?? 1) };
      },
    ]),
  ),
  terms: {
    ...loss.terms,
    [name]: ({ logits, extras }) => distillation(logits, extras![LOGITS]!, how).mul(alpha),
  },
});

const own = (weight: string): string => `${name}/${weight}`;

/**
 * The teacher beside the network, on the same images, mixed alike, in training alone: `extras['distill/teacher']`, `[B, C]`.
 * It normalises by the running averages of its training.
 *
 * @param renormalise - what the run normalised images by, to what the teacher's were
 */
export const withTeacher =
  (forward: Forward, teacher: Model, renormalise: (images: tf.Tensor) => tf.Tensor): Forward =>
  (weights, images, pass) => {
    const outputs = forward(weights, images, pass);
    if (!pass.training) return outputs;
    const stage = mixStage(pass.variants.mix ?? 'input');
    if (!teacher.stages.includes(stage)) throw stageMissing(stage, teacher);
    const { at: _, fixed: __, across: ___, from: ____, ...plain } = pass;
    const taughtBy = Object.fromEntries(teacher.weights.map(({ name: weight }) => [weight, weights[own(weight)]!]));
    const { logits } = teacher.forward(taughtBy, renormalise(images), { ...plain, training: false });
    return { ...outputs, extras: { ...outputs.extras, [LOGITS]: logits } };
  };

/** The teacher's weights as state: they are saved with the run, and never trained. */
const asState = ({ weights }: Model): Model['weights'] =>
  weights.map(({ stage: _, ...weight }) => ({ ...weight, name: own(weight.name), kind: 'state' }));

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

interface Norm {
  mean: readonly number[];
  std: readonly number[];
}

/** `(x·σ + μ − μ') / σ'`, channel by channel; nothing where both are alike. */
function renormaliser(from: Norm, to: Norm): (images: tf.Tensor) => tf.Tensor {
  const scale = from.std.map((deviation, c) => deviation / to.std[c]!);
  const shift = from.mean.map((mean, c) => (mean - to.mean[c]!) / to.std[c]!);
  if (scale.every((one) => one === 1) && shift.every((one) => one === 0)) return (images) => images;
  return (images) => images.mul(tf.tensor1d(scale)).add(tf.tensor1d(shift));
}
