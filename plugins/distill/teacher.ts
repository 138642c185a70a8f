import { type Forward, type Model, mixStage, tf } from 'tailmix';
import { stageMissing } from './errors.ts';

export const NAME = 'distill';

/** Where the forward pass keeps the teacher's logits, in `extras`. */
export const LOGITS = `${NAME}/teacher`;

/** Name in the run of one of the teacher's weights. */
export const own = (weight: string): string => `${NAME}/${weight}`;

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
export const asState = ({ weights }: Model): Model['weights'] =>
  weights.map(({ stage: _, ...weight }) => ({ ...weight, name: own(weight.name), kind: 'state' }));

interface Norm {
  mean: readonly number[];
  std: readonly number[];
}

/** `(x·σ + μ − μ') / σ'`, channel by channel; nothing where both are alike. */
export function renormaliser(from: Norm, to: Norm): (images: tf.Tensor) => tf.Tensor {
  const scale = from.std.map((deviation, c) => deviation / to.std[c]!);
  const shift = from.mean.map((mean, c) => (mean - to.mean[c]!) / to.std[c]!);
  if (scale.every((one) => one === 1) && shift.every((one) => one === 0)) return (images) => images;
  return (images) => images.mul(tf.tensor1d(scale)).add(tf.tensor1d(shift));
}
