import { internal } from '../errors.ts';

/** Mean and spread over the seeds of one method. */
export interface Spread {
  mean: number;
  /** Sample standard deviation (divisor n − 1); null for one value. */
  sd: number | null;
  /** Number of values. */
  n: number;
}

/** Arithmetic mean of one value or more. */
export function mean(values: readonly number[]): number {
  if (values.length === 0) throw internal('mean of no values');
  return values.reduce((a, b) => a + b, 0) / values.length;
}

/** Mean and sample standard deviation of one value or more. */
export function spread(values: readonly number[]): Spread {
  const centre = mean(values);
  const n = values.length;
  const sd = n < 2 ? null : Math.sqrt(values.reduce((sum, value) => sum + (value - centre) ** 2, 0) / (n - 1));
  return { mean: centre, sd, n };
}

/** {@link spread} over the values that are there; null when none is. */
export function spreadOf(values: readonly (number | null | undefined)[]): Spread | null {
  const present = values.filter((value) => value !== null && value !== undefined);
  return present.length === 0 ? null : spread(present);
}

/** Middle value; with an even number of them the mean of the two in the middle. */
export function median(values: readonly number[]): number {
  if (values.length === 0) throw internal('median of no values');
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}
