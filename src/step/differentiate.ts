import { messageOf, TailmixError } from '../errors.ts';
import type { NamedTensors } from '../tf.ts';
import { tf } from '../tf.ts';
import { mapValues } from '../util/map-values.ts';
import { gradientMissing } from './errors.ts';
import { watched } from './misses.ts';
import { currentOrigin, type Origin } from './owner.ts';
import type { Backward, Evaluated } from './types.ts';

/**
 * Gradients of loss plus penalties for the trained weights. A weight that the loss does not reach has no gradient.
 * What the forward pass gives in addition to the loss outlives tfjs's own tidying of it.
 *
 * @throws {TailmixError} GRADIENT_MISSING, naming the plugin that used an op without one.
 */
export function differentiate(
  weights: NamedTensors,
  trained: ReadonlySet<string>,
  evaluate: (weights: NamedTensors) => Evaluated,
): Backward {
  const names = Object.keys(weights).filter((name) => trained.has(name));
  let result: Evaluated | undefined;
  const kept: tf.Tensor[] = [];
  const outlive = (tensor: tf.Tensor): tf.Tensor => {
    const clone = tf.keep(tensor.clone());
    kept.push(clone);
    return clone;
  };
  try {
    const { grads } = tf.engine().gradients(
      () => {
        const evaluated = evaluate(weights);
        result = mapTensors(evaluated, outlive);
        return Object.values(evaluated.penalties).reduce((sum, penalty) => sum.add(penalty), evaluated.loss);
      },
      names.map((name) => weights[name]!),
      undefined,
      true,
    );
    const gradients = Object.fromEntries(names.flatMap((name, i) => (grads[i] ? [[name, grads[i]]] : [])));
    return { ...mapTensors(result!, (tensor) => tensor.clone()), gradients: watched('gradient', gradients) };
  } catch (error) {
    const op = /gradient function not found for (\w+)/.exec(messageOf(error))?.[1];
    if (op === undefined || error instanceof TailmixError) throw error;
    throw gradientMissing(
      userOf(op, () => evaluate(weights)),
      op,
      error,
    );
  } finally {
    tf.dispose(kept);
  }
}

const mapTensors = (
  { loss, penalties, figures, perSample, outputs }: Evaluated,
  map: (tensor: tf.Tensor) => tf.Tensor,
): Evaluated => ({
  loss: map(loss),
  penalties: mapValues(penalties, map),
  figures: mapValues(figures, map),
  perSample: mapValues(perSample, map),
  outputs: {
    logits: map(outputs.logits),
    features: map(outputs.features),
    statistics: mapValues(outputs.statistics, map),
    ...(outputs.extras && { extras: mapValues(outputs.extras, map) }),
  },
});

/** Whose code runs an op: a plugin's, if one does. */
function userOf(op: string, compute: () => unknown): Origin | null {
  const engine = tf.engine();
  const { runKernel } = engine;
  let user: Origin | null = null;
  engine.runKernel = (name, ...given) => {
    if (name === op) user ??= currentOrigin();
    return runKernel.call(engine, name, ...given) as never;
  };
  try {
    tf.tidy(() => void compute());
  } finally {
    engine.runKernel = runKernel;
  }
  return user;
}
