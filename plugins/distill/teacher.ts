import { type Forward, type Model, mixStage } from 'tailmix';
import { stageMissing } from './errors.ts';

export const NAME = 'distill';

/** Where the forward pass keeps the teacher's logits, in `extras`. */
export const LOGITS = `${NAME}/teacher`;

/**
 * The teacher beside the network, on the same images, mixed alike, in training alone: `extras['distill/teacher']`, `[B, C]`.
 */
export const withTeacher =
  (forward: Forward, teacher: Pick<Model, 'name' | 'stages' | 'forward'>): Forward =>
  (weights, images, pass) => {
    const outputs = forward(weights, images, pass);
    if (!pass.training) return outputs;
    const stage = mixStage(pass.variants.mix ?? 'input');
    if (!teacher.stages.includes(stage)) throw stageMissing(stage, teacher);
    const { logits } = teacher.forward(weights, images, pass);
    return { ...outputs, extras: { ...outputs.extras, [LOGITS]: logits } };
  };
