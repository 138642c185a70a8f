import { randomField } from '../random.ts';

/** Resamples of the test images. */
export const RESAMPLES = 2000;

/**
 * Bootstrap over test images: each resample draws, with replacement and within each class, as many images as the class has,
 * the same ones for all pairs of runs (Efron & Tibshirani 1993, chapter 6).
 *
 * @param differences - of each pair of runs `[N]`: 1 where only the first classifies the image rightly, −1 where only the
 *   second does, else 0
 * @param labels - `[N]`, true classes
 * @returns of each pair `[RESAMPLES]`, the difference in balanced accuracy. Of several seeds on the same images, the mean of
 *   these is that of the mean difference.
 */
export function resampledDifferences(
  differences: readonly Int8Array[],
  labels: Int32Array,
  resamples = RESAMPLES,
): Float64Array[] {
  const byClass = new Map<number, number[]>();
  for (const [image, label] of labels.entries()) {
    if (!byClass.has(label)) byClass.set(label, []);
    byClass.get(label)!.push(image);
  }
  const results = differences.map(() => new Float64Array(resamples));
  const draw = randomField('bootstrap', labels.length);
  for (const images of byClass.values()) {
    const n = images.length;
    /** `[n × resamples]`, how often an image was drawn. */
    const times = new Uint16Array(n * resamples);
    for (let i = 0; i < n; i++) {
      for (let b = 0; b < resamples; b++) times[Math.floor(draw(images[i]!, b) * n) * resamples + b]!++;
    }
    const share = 1 / (n * byClass.size);
    for (const [pair, own] of differences.entries()) {
      const result = results[pair]!;
      for (const [i, image] of images.entries()) {
        const difference = own[image]!;
        if (difference === 0) continue;
        for (let b = 0; b < resamples; b++) result[b]! += difference * share * times[i * resamples + b]!;
      }
    }
  }
  return results;
}

/** The middle 95 % of resamples: their 2.5 % and 97.5 % quantiles, interpolated. */
export function percentileInterval(resampled: Float64Array): readonly [number, number] {
  const sorted = resampled.toSorted();
  const quantile = (share: number): number => {
    const at = share * (sorted.length - 1);
    const below = sorted[Math.floor(at)]!;
    return below + (at - Math.floor(at)) * (sorted[Math.ceil(at)]! - below);
  };
  return [quantile(0.025), quantile(0.975)];
}
