import { groupOf } from './groups.ts';
import { mean } from './statistics.ts';
import type { ConfusionCount, GroupRule } from './types.ts';

const tested = (perClass: readonly (number | null)[]): number[] => perClass.filter((value) => value !== null);

/** Geometric mean of the per-class accuracies (Kubat & Matwin 1997); 0 where one of them is. */
export const geometricMean = (perClass: readonly (number | null)[]): number =>
  Math.exp(mean(tested(perClass).map(Math.log)));

/** Harmonic mean of the per-class accuracies; 0 where one of them is. */
export const harmonicMean = (perClass: readonly (number | null)[]): number =>
  1 / mean(tested(perClass).map((accuracy) => 1 / accuracy));

/** Mean accuracy of the k classes of lowest accuracy, of all where there are fewer. */
export const worstClasses = (perClass: readonly (number | null)[], k: number): number =>
  mean(
    tested(perClass)
      .sort((a, b) => a - b)
      .slice(0, k),
  );

/**
 * Share of the images of few-shot classes that are taken for a many-shot class; null where no few-shot class has a test image, or
 * no class is many-shot.
 *
 * @see Li et al. 2024, "Long-tailed classification from a Bayesian-decision-theory perspective" (TMLR): false head rate
 */
export function falseHeadRate(
  confusion: readonly ConfusionCount[],
  classCounts: ArrayLike<number>,
  groups: GroupRule,
): number | null {
  const group = Array.from(classCounts, (count) => groupOf(count, groups));
  if (!group.includes('many')) return null;
  let [images, taken] = [0, 0];
  for (const [label, predicted, count] of confusion) {
    if (group[label] !== 'few') continue;
    images += count;
    if (group[predicted] === 'many') taken += count;
  }
  return images === 0 ? null : taken / images;
}

/** Test images of each class, `[C]`. */
export function supportOf(confusion: readonly ConfusionCount[], classes: number): Float64Array {
  const support = new Float64Array(classes);
  for (const [label, , count] of confusion) support[label]! += count;
  return support;
}

/** Two-sided 97.5% point of the normal distribution. */
const Z = 1.959963984540054;

/**
 * Wilson's score interval of a share, 95%: where the accuracy of a class lies, as far as its test images can tell.
 *
 * @param share - observed, in 0…1
 * @param n - images, at least one
 * @see Wilson 1927; without correction for continuity
 */
export function wilsonInterval(share: number, n: number): [low: number, high: number] {
  const z2 = Z * Z;
  const centre = (share + z2 / (2 * n)) / (1 + z2 / n);
  const half = (Z / (1 + z2 / n)) * Math.sqrt((share * (1 - share)) / n + z2 / (4 * n * n));
  return [share === 0 ? 0 : Math.max(0, centre - half), share === 1 ? 1 : Math.min(1, centre + half)];
}

/**
 * Wilson's 95% intervals of accuracies per class, `[C]`; null for a class without an image.
 *
 * @param perClass - `[C]`
 * @param support - `[C]`, test images of each class
 */
export const classIntervals = (
  perClass: readonly (number | null)[],
  support: ArrayLike<number>,
): ([low: number, high: number] | null)[] =>
  perClass.map((accuracy, c) => (accuracy === null ? null : wilsonInterval(accuracy, support[c]!)));
