import { createRequire } from 'node:module';

/** The part of jStat that is used here; the package has no types. */
interface Distributions {
  studentt: { cdf(x: number, df: number): number; inv(p: number, df: number): number };
  chisquare: { cdf(x: number, df: number): number };
  tukey: { inv(p: number, groups: number, df: number): number };
}

const { jStat } = createRequire(import.meta.url)('jstat') as { jStat: Distributions };

/** Two-sided probability of a Student t at least as far from 0 as `t`, with `df` degrees of freedom. */
export const studentTwoSided = (t: number, df: number): number => 2 * jStat.studentt.cdf(-Math.abs(t), df);

/** Quantile of Student's t. */
export const studentQuantile = (p: number, df: number): number => jStat.studentt.inv(p, df);

/** Probability of a χ² above `x`. */
export const chiSquareAbove = (x: number, df: number): number => 1 - jStat.chisquare.cdf(x, df);

/** Quantile of the studentised range of `groups` normal values, the variance known. */
export const studentizedRangeQuantile = (p: number, groups: number): number => jStat.tukey.inv(p, groups, Infinity);
