import { type Spread, spreadOf } from '../metrics/statistics.ts';
import { bestValidation, type Comparison, isPlain, type MethodResult } from './compare.ts';
import { duration, percent, points } from './format.ts';

/** A method as one may choose it. */
export interface Choosable {
  method: string;
  /** Balanced accuracy on validation, of each run's best epoch. */
  validation: Spread;
  /** Balanced accuracy on test, of the same epochs. */
  test: Spread;
  /** Wall time of a run, in seconds. */
  seconds: number;
  imagesPerSecond: number | null;
}

/** Which of the methods to use, and how sure that is. */
export interface Choice {
  /** Best on validation first. */
  methods: Choosable[];
  chosen: string;
  /** The baseline's label, and by how much the chosen one is above it on validation. */
  against: string;
  gain: number;
  /** By how much chance alone moves a figure on validation: one standard error. */
  doubt: number;
  validationCount: number;
}

/**
 * Chooses by balanced accuracy on validation; of equal ones the faster. Null where a method has no validation figures,
 * where the baseline is missing, and where the methods have not the same seeds.
 *
 * @param baseline - label of the first method. Default: that of plain training.
 */
export function chooseMethod(comparison: Comparison, baseline?: string): Choice | null {
  const { methods, classCounts } = comparison;
  const [plain] = methods;
  const isBaseline = baseline === undefined ? isPlain(plain!.label) : plain!.label === baseline;
  if (!isBaseline || methods.some(({ seeds }) => String(seeds) !== String(plain!.seeds))) return null;
  const choosable = methods.map(choosableOf);
  if (choosable.some((method) => method === null)) return null;
  const sorted = (choosable as Choosable[]).toSorted(
    (a, b) => b.validation.mean - a.validation.mean || a.seconds - b.seconds,
  );
  const [best] = sorted as [Choosable];
  const against = choosable[0]!;
  const evaluated = bestValidation(methods.find(({ label }) => label === best.method)!.runs[0]!)!;
  return {
    methods: sorted,
    chosen: best.method,
    against: against.method,
    gain: best.validation.mean - against.validation.mean,
    doubt: Math.hypot(
      doubtOf(evaluated.perClass, evaluated.count, classCounts),
      (best.validation.sd ?? 0) / Math.sqrt(best.validation.n),
    ),
    validationCount: evaluated.count,
  };
}

function choosableOf(method: MethodResult): Choosable | null {
  if (method.validation === null || method.chosenOnValidation === null) return null;
  return {
    method: method.label,
    validation: method.validation.chosen,
    test: method.chosenOnValidation.balancedAccuracy,
    seconds: method.seconds.mean,
    imagesPerSecond: spreadOf([method.imagesPerSecond?.mean])?.mean ?? null,
  };
}

/**
 * Standard error of a mean of class accuracies. How many images of each class there are is taken from the shares of the
 * training set; shares of few images are drawn towards a half (Agresti-Coull), since none of three right is no certainty.
 *
 * @param perClass - `[C]`, null for a class without an image
 * @param count - images in all
 * @param classCounts - `[C]`, of training
 */
export function doubtOf(perClass: readonly (number | null)[], count: number, classCounts: readonly number[]): number {
  const total = classCounts.reduce((sum, n) => sum + n, 0);
  const variances = perClass.flatMap((accuracy, c) => {
    if (accuracy === null) return [];
    const n = Math.max(1, (count * classCounts[c]!) / total);
    const drawn = (accuracy * n + 2) / (n + 4);
    return [(drawn * (1 - drawn)) / n];
  });
  return Math.sqrt(variances.reduce((sum, variance) => sum + variance, 0)) / Math.max(1, variances.length);
}

/** The answer in sentences: what to use, by how much, how sure, at which cost. */
export function choiceInWords({ methods, chosen, against, gain, doubt, validationCount }: Choice): string[] {
  const best = methods[0]!;
  const baseline = methods.find(({ method }) => method === against)!;
  const margin = `±${percent(doubt)} points (one standard error) with ${validationCount} validation images`;
  const sure = gain >= 2 * doubt;
  const verdict =
    chosen === against
      ? `Use ${chosen}: no remedy was better on validation (${percent(best.validation.mean)}%).`
      : `Use ${chosen}: ${percent(best.validation.mean)}% on validation, ${points(gain)} points against ${against}.`;
  const certainty =
    chosen !== against && sure
      ? `Chance moves such figures by ${margin}: the gain is more than twice that.`
      : `Chance moves such figures by ${margin}: another seed may choose otherwise. More validation images or --seeds 0,1,2 make it surer.`;
  const slower = best.seconds / baseline.seconds;
  const cost =
    chosen === against
      ? []
      : [
          `A run takes ${duration(best.seconds)}, with ${against} ${duration(baseline.seconds)}${
            slower > 1.1 ? ` (${slower.toFixed(1)} times as long)` : ''
          }.`,
        ];
  return [verdict, certainty, ...cost];
}
