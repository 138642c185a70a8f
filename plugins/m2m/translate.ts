import { oneHot, softmaxCrossEntropy, tf } from 'tailmix';

/** Keeps a gradient of zero from dividing by zero; the number of the authors' code. */
const TINY = 1e-10;

/** What judges pixels in 0…1: `[B, H, W, C]` → logits `[B, C]`. */
export interface Judges {
  /** g, trained before. */
  classifier(pixels: tf.Tensor): tf.Tensor;
  /** f, that is trained. */
  network(pixels: tf.Tensor): tf.Tensor;
}

export interface TranslateOptions {
  /** T. */
  steps: number;
  /** η, length of a step in pixels of 0…1. */
  stepSize: number;
  /** λ. */
  lambda: number;
}

/**
 * Images moved towards another class: T times x ← x − η·∇L/‖∇L‖ with L = CE(g(x), k) + λ·f_k0(x), within 0…1 (Kim et al. 2020,
 * algorithm 1).
 *
 * @param pixels - `[B, H, W, C]` in 0…1
 * @param to - `[B]` int32, k
 * @param from - `[B]` int32, k0
 */
export function translate(
  pixels: tf.Tensor,
  { to, from }: { to: tf.Tensor; from: tf.Tensor },
  { classifier, network }: Judges,
  { steps, stepSize, lambda }: TranslateOptions,
): tf.Tensor {
  const slopeOf = tf.grad((x: tf.Tensor) => {
    const cost = softmaxCrossEntropy(classifier(x), to).sum();
    if (lambda === 0) return cost;
    const logits = network(x);
    return cost.add(logits.mul(oneHot(from, logits.shape[1]!)).sum().mul(lambda));
  });
  let x = pixels;
  for (let step = 0; step < steps; step++) {
    const slope = slopeOf(x);
    const length = slope.square().sum([1, 2, 3], true).sqrt().add(TINY);
    x = x.sub(slope.div(length).mul(stepSize)).clipByValue(0, 1);
  }
  return x;
}

/** `[B]`, 1 where the classifier gives an image its new class with at least this probability (γ of the authors' code). */
export const isConvincing = (logits: tf.Tensor, to: tf.Tensor, confidence: number): tf.Tensor =>
  softmaxCrossEntropy(logits, to).lessEqual(-Math.log(confidence)).cast('float32');
