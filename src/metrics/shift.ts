import { mean } from './statistics.ts';

/** How many times more often the first class is tested than the last, in the test sets of Hong et al. 2021 (LADE). */
const ratios = [50, 25, 10, 5, 2] as const;

/** A test set with other class shares than the training set. */
export interface Shift {
  name: string;
  direction: 'forward' | 'uniform' | 'backward';
  /** Of the class that is tested most to the one that is tested least. */
  ratio: number;
}

const directed = (direction: Shift['direction'], ratio: number): Shift => ({
  name: `${direction}${ratio}`,
  direction,
  ratio,
});

/** The shifted test sets, from one that is as long-tailed as the training set to one that is so in reverse. */
export const shifts: readonly Shift[] = [
  ...ratios.map((ratio) => directed('forward', ratio)),
  { name: 'uniform', direction: 'uniform', ratio: 1 },
  ...ratios.map((ratio) => directed('backward', ratio)).reverse(),
];

/** Classes from that with most training images to that with fewest, of classes with equally many the first first. */
export const byTrainingCount = (classCounts: ArrayLike<number>): number[] =>
  Array.from(classCounts, (_, c) => c).sort((a, b) => classCounts[b]! - classCounts[a]! || a - b);

/** Their names. */
export const shiftNames: readonly string[] = shifts.map(({ name }) => name);

/**
 * Class shares of the test sets of test-agnostic evaluation: geometric from the class with most training images to the one
 * with fewest (`forward`), or in reverse (`backward`); of classes with equally many the first comes first.
 *
 * @param classCounts - `[C]`, training images
 * @returns by the names of {@link shiftNames}, `[C]` each, with the sum 1
 * @see Hong et al. 2021 (LADE), section 4.1; Zhang et al. 2022 (SADE), section 5.1
 */
export function shiftedPriors(classCounts: ArrayLike<number>): Map<string, Float64Array> {
  const C = classCounts.length;
  const place = new Int32Array(C);
  for (const [rank, c] of byTrainingCount(classCounts).entries()) place[c] = rank;
  const prior = (ratio: number): Float64Array => {
    const shares = Float64Array.from(place, (rank) => (C === 1 ? 1 : ratio ** (-rank / (C - 1))));
    const sum = shares.reduce((a, b) => a + b, 0);
    return shares.map((share) => share / sum);
  };
  return new Map(
    shifts.map(({ name, direction, ratio }) => [name, prior(direction === 'backward' ? ratio ** -1 : ratio)]),
  );
}

/**
 * Expected accuracy on a test set with other class shares: `Σ π_c·acc_c / Σ π_c`, over the classes that have a test image. The
 * mean over all sub-sampled test sets with these shares, without their noise.
 *
 * @param perClass - `[C]`, null for a class without a test image
 * @param prior - `[C]`, shares of the classes
 */
export function shiftedAccuracy(perClass: readonly (number | null)[], prior: Float64Array): number {
  let [sum, weights] = [0, 0];
  for (const [c, accuracy] of perClass.entries()) {
    if (accuracy === null) continue;
    sum += prior[c]! * accuracy;
    weights += prior[c]!;
  }
  return sum / weights;
}

/** Mean over all shifted test sets, forward, uniform and backward, as test-agnostic papers rank methods. */
export const shiftedMean = (byName: Readonly<Record<string, number>>): number =>
  mean(shiftNames.map((name) => byName[name]!));
