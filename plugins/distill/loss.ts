import { type Loss, tf } from 'tailmix';
import { scoredTimes } from 'tailmix/plugins/regmixup';
import { LOGITS, NAME } from './teacher.ts';

/**
 * `T²·KL(t ‖ softmax(z / T))` of each row, with `t ∝ softmax(u / T)^power` (He et al. 2021, virtual examples; Hinton et al. 2015).
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
  scored: scoredTimes(loss.scored, 1 - alpha),
  terms: {
    ...loss.terms,
    [NAME]: ({ logits, extras }) => distillation(logits, extras![LOGITS]!, how).mul(alpha),
  },
});
