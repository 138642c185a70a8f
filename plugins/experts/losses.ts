import { logPrior, stopGradient, tf } from 'tailmix';

/** The three published forms. */
export const methods = ['balpoe', 'sade', 'ride'] as const;

/** How the experts' losses differ. */
export interface LossOptions {
  method: (typeof methods)[number];
  count: number;
  /** τ of each expert of BalPoE. Default: evenly from 0 to 2. */
  tau?: readonly number[] | undefined;
  /** How much the last expert of SADE is turned towards rare classes. */
  inverseTau: number;
}

/** Class frequencies in reverse: the rarest class has that of the most frequent one (Zhang et al. 2022, section 4.1), `[C]`. */
export function inversePrior(prior: Float64Array): Float64Array {
  const order = [...prior.keys()].sort((a, b) => prior[a]! - prior[b]! || a - b);
  const inverse = new Float64Array(prior.length);
  order.forEach((c, rank) => {
    inverse[c] = prior[order[order.length - 1 - rank]!]!;
  });
  return inverse;
}

/** τ of each expert; their mean is 1, which makes the mean of the experts right for balanced classes (Aimar et al., section 3.3). */
export const evenTaus = (count: number): number[] => Array.from({ length: count }, (_, i) => (2 * i) / (count - 1));

/**
 * What is added to the logits of each expert before its cross-entropy:
 *
 * - BalPoE: τ_k·log π (Aimar et al. 2023, calibrated experts)
 * - SADE: nothing, log π, log π − τ'·log π̄, π̄ being π in reverse (Zhang et al. 2022, section 4.1)
 * - RIDE: nothing; its experts differ by the diversity term
 *
 * @param classCounts - `[C]`
 * @returns for each expert `[C]`, null for nothing
 */
export function expertOffsets(
  classCounts: readonly number[],
  { method, count, tau, inverseTau }: LossOptions,
): (Float64Array | null)[] {
  const log = logPrior(classCounts);
  switch (method) {
    case 'balpoe':
      return (tau ?? evenTaus(count)).map((factor) => (factor === 0 ? null : log.map((value) => factor * value)));
    case 'sade': {
      const inverse = inversePrior(log);
      return [null, log, log.map((value, c) => value - inverseTau * inverse[c]!)];
    }
    case 'ride':
      return Array.from({ length: count }, () => null);
  }
}

/** Share of the frequency in RIDE's temperatures; the number of the authors' code. */
const REWEIGHTED = 0.05;

/**
 * Temperature of each class's logits in the diversity term: 1 for all, and once it is deferred to, larger for frequent
 * classes, `(0.05·C·π_c + 0.95) / max` (the authors' code).
 *
 * @returns `[C]`
 */
export function temperatures(classCounts: readonly number[], isDeferred: boolean): Float32Array {
  if (!isDeferred) return new Float32Array(classCounts.length).fill(1);
  const sum = classCounts.reduce((a, b) => a + b, 0);
  const raw = classCounts.map((n) => (REWEIGHTED * classCounts.length * n) / sum + 1 - REWEIGHTED);
  const largest = Math.max(...raw);
  return Float32Array.from(raw, (value) => value / largest);
}

/**
 * `T̄²·Σ_k KL(softmax(z̄/T) ‖ softmax(z_k/T))`, the mean over the rows: how far experts are from their mean, which is taken
 * as given (Wang et al. 2021, the distribution-aware diversity loss, as in the authors' code).
 *
 * @param experts - `[B, C]` each
 * @param mean - `[B, C]`
 * @param temperature - `[C]`
 */
export function diversity(experts: readonly tf.Tensor[], mean: tf.Tensor, temperature: tf.Tensor): tf.Tensor {
  const target = tf.logSoftmax(stopGradient(mean).div(temperature));
  const probabilities = target.exp();
  const distances = experts.map((logits) =>
    probabilities.mul(target.sub(tf.logSoftmax(logits.div(temperature)))).sum(1),
  );
  return distances
    .reduce((sum, rows) => sum.add(rows))
    .mean()
    .mul(temperature.mean().square());
}
