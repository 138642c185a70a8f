import { type Batch, type Random, sharesOf } from 'tailmix';

/** What is translated in a step. */
export interface Chosen {
  /** `[B]`, row of the replica whose image is translated; itself where none is. */
  seeds: Int32Array;
  /** `[B]`, class of that image. */
  from: Int32Array;
  /** `[B]`, 1 where the row takes the translated image, if the classifier agrees. */
  take: Float32Array;
}

/** 1 − β^(N_seed − N_class), 0 for a seed whose class has no more images: how good a seed is (Kim et al. 2020, algorithm 1). */
export const seedShare = (beta: number, ofSeed: number, ofClass: number): number =>
  1 - beta ** Math.max(0, ofSeed - ofClass);

/**
 * Rows that take a translated image, and the seeds of these. A row of a class with n images is tried with chance
 * 1 − n/n_max; its seed is another row of the batch, with chances in proportion to {@link seedShare}, and is rejected with chance
 * 1 − {@link seedShare} (Kim et al. 2020, algorithm 1).
 *
 * @param classCounts - `[C]`
 * @param replicas - R: seeds are rows of the same replica, counted from its first
 */
export function chooseSeeds(
  { size, labels }: Pick<Batch, 'size' | 'labels'>,
  { classCounts, beta, replicas }: { classCounts: readonly number[]; beta: number; replicas: number },
  random: Random,
): Chosen {
  const largest = Math.max(...classCounts);
  const chosen: Chosen = { seeds: new Int32Array(size), from: labels.slice(0, size), take: new Float32Array(size) };
  for (const share of sharesOf({ size, replicas })) {
    for (let row = 0; row < share.size; row++) {
      const i = share.start + row;
      chosen.seeds[i] = row;
      const count = classCounts[labels[i]!]!;
      if (random.uniform() < count / largest) continue;
      const shares = Float64Array.from({ length: share.size }, (_, j) =>
        seedShare(beta, classCounts[labels[share.start + j]!]!, count),
      );
      const seed = drawnBy(shares, random.uniform());
      if (seed === null) continue;
      chosen.seeds[i] = seed;
      chosen.from[i] = labels[share.start + seed]!;
      if (random.uniform() < shares[seed]!) chosen.take[i] = 1;
    }
  }
  return chosen;
}

/** Index drawn in proportion to weights, by a number in 0…1; null where all are 0. */
function drawnBy(weights: Float64Array, at: number): number | null {
  const sum = weights.reduce((a, b) => a + b, 0);
  if (sum === 0) return null;
  let rest = at * sum;
  for (const [i, weight] of weights.entries()) {
    rest -= weight;
    if (rest < 0) return i;
  }
  return weights.findLastIndex((weight) => weight > 0);
}

/** Noise in ±0.5 for each image, scaled to a length of at most `radius`: `[B·H·W·C]`. */
export function smallNoise(images: number, pixels: number, radius: number, random: Random): Float32Array {
  const noise = Float32Array.from({ length: images * pixels }, () => random.uniform() - 0.5);
  for (let i = 0; i < images; i++) {
    const own = noise.subarray(i * pixels, (i + 1) * pixels);
    const length = Math.sqrt(own.reduce((sum, value) => sum + value * value, 0));
    if (length > radius) for (let j = 0; j < pixels; j++) own[j]! *= radius / length;
  }
  return noise;
}
