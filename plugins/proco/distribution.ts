import { logPrior, oneHot, softmaxCrossEntropy, stopGradient, tf } from 'tailmix';
import { bessel } from './bessel.ts';

/** Largest concentration (the authors' code). */
const LARGEST = 1e5;
/** Of lengths that are divided by. */
const SMALLEST = 1e-6;

/**
 * Concentration of each class's von Mises-Fisher distribution, κ = d·R / (1 − R²) with R the length of the mean of its
 * features (Du et al. 2024, section 3.2), at most 1e5.
 *
 * @param means - `[C, d]`
 * @returns `[C]`
 */
export function concentrations(means: tf.Tensor): tf.Tensor {
  const squared = means.square().sum(1);
  const kappa = squared.sqrt().mul(means.shape[1]!).div(tf.sub(1, squared).maximum(1e-9));
  return kappa.clipByValue(SMALLEST, LARGEST);
}

/**
 * log of the mean of exp(z·f/τ) over the features f of each class, f from its von Mises-Fisher distribution:
 * log C_d(κ) − log C_d(|κμ + z/τ|) (Du et al. 2024, proposition 2). The gradient goes to z alone, by the ratio of Bessel
 * functions.
 *
 * @param z - `[N, d]`, rows of length 1
 * @param means - `[C, d]`, means of the features of each class
 * @param temperature - τ
 * @returns `[N, C]`
 */
export function contrastLogits(z: tf.Tensor, means: tf.Tensor, temperature: number): tf.Tensor {
  const order = means.shape[1]! / 2 - 1;
  const given = stopGradient(means);
  const kappa = concentrations(given);
  const direction = given.div(given.square().sum(1, true).sqrt().maximum(SMALLEST));
  // |κμ + z/τ|² − κ²
  const more = tf
    .matMul(z, direction, false, true)
    .mul(kappa.mul(2 / temperature))
    .add(
      z
        .square()
        .sum(1, true)
        .div(temperature ** 2),
    );
  const moved = kappa
    .square()
    .add(more)
    .maximum(SMALLEST ** 2)
    .sqrt();
  const [before, after] = [bessel(order, kappa), bessel(order, stopGradient(moved))];
  const value = after.log
    .sub(before.log)
    .sub(moved.div(kappa).log().mul(order))
    .add(more.div(moved.add(kappa)));
  return stopGradient(value).add(stopGradient(after.ratio).mul(moved.sub(stopGradient(moved))));
}

/**
 * Cross-entropy of {@link contrastLogits} with the prior, log π + z, the mean over the rows (Du et al. 2024, the loss with logit adjustment).
 *
 * @param labels - `[N]` int32
 */
export function probabilisticContrastiveLoss(
  z: tf.Tensor,
  labels: tf.Tensor,
  means: tf.Tensor,
  { classCounts, temperature }: { classCounts: readonly number[]; temperature: number },
): tf.Tensor {
  const prior = tf.tensor1d(Array.from(logPrior(classCounts)));
  return softmaxCrossEntropy(contrastLogits(z, means, temperature).add(prior), labels).mean();
}

/** Means of features of each class so far, `[C, d]`, and how many they are of, `[C]`. */
export interface RunningMeans {
  mean: tf.Tensor;
  count: tf.Tensor;
}

/** The means with further features in them (Du et al. 2024, estimated batch by batch). */
export function updatedMeans({ mean, count }: RunningMeans, z: tf.Tensor, labels: tf.Tensor): RunningMeans {
  const own = oneHot(labels, count.shape[0]!);
  const added = own.sum(0);
  const next = count.add(added);
  const share = added.div(next.maximum(1)).expandDims(1);
  const batch = tf.matMul(own, z, true).div(added.maximum(1).expandDims(1));
  return { mean: mean.mul(tf.sub(1, share)).add(batch.mul(share)), count: next };
}
