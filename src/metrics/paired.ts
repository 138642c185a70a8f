import { chiSquareAbove, studentizedRangeQuantile, studentQuantile, studentTwoSided } from './distributions.ts';
import { mean, type Spread, spread } from './statistics.ts';

/** Differences of paired runs, and what they say of the mean that many more would have. */
export interface PairedDifference extends Spread {
  /** 95 % interval of the mean by Student's t over the pairs; null for one pair. */
  interval: readonly [number, number] | null;
  /** Of the two-sided paired t-test against a mean of 0; null for one pair. */
  p: number | null;
}

/**
 * Mean, sd, interval and p-value of paired differences.
 *
 * @param differences - One or more. Where all are alike, the interval is a point, and p is 1 for 0 and else 0.
 */
export function pairedDifference(differences: readonly number[]): PairedDifference {
  const spreadOfAll = spread(differences);
  const { mean: centre, sd, n } = spreadOfAll;
  if (sd === null) return { ...spreadOfAll, interval: null, p: null };
  const error = sd / Math.sqrt(n);
  const reach = error * studentQuantile(0.975, n - 1);
  const p = error === 0 ? Number(centre === 0) : studentTwoSided(centre / error, n - 1);
  return { ...spreadOfAll, interval: [centre - reach, centre + reach], p };
}

/**
 * p-values of a family of tests, corrected so that the chance of even one false finding stays below the level (Holm 1979).
 * They keep their places; null stays null and is no test of the family.
 */
export function holm(ps: readonly (number | null)[]): (number | null)[] {
  const order = ps.flatMap((p, i) => (p === null ? [] : [{ p, i }])).sort((a, b) => a.p - b.p);
  const adjusted: (number | null)[] = ps.map(() => null);
  let floor = 0;
  for (const [rank, { p, i }] of order.entries()) {
    floor = Math.min(1, Math.max(floor, (order.length - rank) * p));
    adjusted[i] = floor;
  }
  return adjusted;
}

/** Ranks of methods over blocks, and whether they differ at all. */
export interface RankTest {
  /** `[K]`, 1 is best. */
  meanRanks: number[];
  /** Friedman's χ², corrected for ties, and its p-value. */
  statistic: number;
  p: number;
  /** Mean ranks that differ by less are not told apart at 5 % (Nemenyi 1963; Demšar 2006, section 3.2.2). */
  criticalDifference: number;
}

/**
 * Friedman's test with Nemenyi's critical difference.
 *
 * @param values - `[N][K]`, of each block (a data set) a value for each method, higher is better; N ≥ 2, K ≥ 3.
 */
export function rankTest(values: readonly (readonly number[])[]): RankTest {
  const blocks = values.length;
  const methods = values[0]!.length;
  const ranked = values.map(ranksOf);
  const meanRanks = Array.from({ length: methods }, (_, k) => mean(ranked.map(({ ranks }) => ranks[k]!)));
  const ties = ranked.reduce((sum, block) => sum + block.ties, 0);
  const squares = meanRanks.reduce((sum, rank) => sum + (rank * blocks) ** 2, 0);
  const uncorrected = (12 * squares) / (blocks * methods * (methods + 1)) - 3 * blocks * (methods + 1);
  const correction = 1 - ties / (blocks * methods * (methods ** 2 - 1));
  const statistic = correction === 0 ? 0 : uncorrected / correction;
  return {
    meanRanks,
    statistic,
    p: chiSquareAbove(statistic, methods - 1),
    criticalDifference:
      (studentizedRangeQuantile(0.95, methods) / Math.SQRT2) * Math.sqrt((methods * (methods + 1)) / (6 * blocks)),
  };
}

/** Ranks, the highest value first, ties sharing their mean; and Σ (t³ − t) over the ties. */
function ranksOf(values: readonly number[]): { ranks: number[]; ties: number } {
  const order = values.map((value, k) => ({ value, k })).sort((a, b) => b.value - a.value);
  const ranks = new Array<number>(values.length);
  let ties = 0;
  for (let first = 0; first < order.length; ) {
    let end = first;
    while (end < order.length && order[end]!.value === order[first]!.value) end++;
    for (let i = first; i < end; i++) ranks[order[i]!.k] = (first + 1 + end) / 2;
    ties += (end - first) ** 3 - (end - first);
    first = end;
  }
  return { ranks, ties };
}
