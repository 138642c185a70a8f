import { type RankTest, rankTest } from '../metrics/paired.ts';
import type { Comparison } from './compare.ts';
import { decimalsFor, pValue, withSpread } from './format.ts';

/** One of several data sets. */
export interface DataSetComparison {
  name: string;
  dataset: string;
  comparison: Comparison;
}

/** Methods over several data sets. */
export interface Overview {
  dataSets: readonly DataSetComparison[];
  /** Labels of the methods, in the order in which they come. */
  methods: string[];
  ranks: Ranks | null;
}

/** Ranks of the methods that every data set has. */
export interface Ranks extends RankTest {
  methods: string[];
  /** Longest runs of methods, from the best on, whose mean ranks differ by less than the critical difference. */
  alike: string[][];
}

/** Balanced accuracy of the last epoch over data sets, with Friedman's test where two data sets have the same three methods. */
export function overviewOf(dataSets: readonly DataSetComparison[]): Overview {
  const labels = dataSets.map(({ comparison }) => comparison.methods.map(({ label }) => label));
  const methods = [...new Set(labels.flat())];
  const common = methods.filter((label) => labels.every((own) => own.includes(label)));
  return { dataSets, methods, ranks: dataSets.length < 2 || common.length < 3 ? null : ranksOf(dataSets, common) };
}

/** Null for a method that a data set does not have. */
const balancedOf = ({ comparison }: DataSetComparison, label: string) =>
  comparison.methods.find((method) => method.label === label)?.figures.balancedAccuracy ?? null;

function ranksOf(dataSets: readonly DataSetComparison[], methods: string[]): Ranks {
  const test = rankTest(dataSets.map((set) => methods.map((label) => balancedOf(set, label)!.mean)));
  return { ...test, methods, alike: alikeOf(methods, test) };
}

/** Methods with their mean ranks, the best first. */
export const byRank = (methods: readonly string[], { meanRanks }: Pick<RankTest, 'meanRanks'>) =>
  methods.map((label, k) => ({ label, rank: meanRanks[k]! })).sort((a, b) => a.rank - b.rank);

/** Groups of methods that the critical difference does not tell apart; none is part of another, and none is of one method. */
export function alikeOf(methods: readonly string[], test: RankTest): string[][] {
  const { criticalDifference } = test;
  const order = byRank(methods, test);
  const groups: string[][] = [];
  let reached = 0;
  for (const [first, { rank }] of order.entries()) {
    const end = order.findLastIndex((other) => other.rank - rank < criticalDifference) + 1;
    if (end > reached && end - first > 1) groups.push(order.slice(first, end).map(({ label }) => label));
    reached = Math.max(reached, end);
  }
  return groups;
}

/** What the ranks say, and what they do not. */
export function ranksInWords({ dataSets, ranks }: Overview): string[] {
  if (!ranks) return ['Ranks need two data sets or more that have three methods in common.'];
  const { statistic, p, criticalDifference, methods, alike } = ranks;
  const repeated = new Set(dataSets.map(({ dataset }) => dataset)).size < dataSets.length;
  return [
    `Friedman's test of ${methods.length} methods over ${dataSets.length} data sets, by balanced accuracy of the last epoch, mean over seeds: χ² = ${statistic.toFixed(2)}, p = ${pValue(p).replace('< ', 'below ')}. ${
      p < 0.05
        ? `It finds a difference at 5 %. Two methods are told apart where their mean ranks differ by ${criticalDifference.toFixed(2)} or more (Nemenyi's critical difference at 5 %).`
        : `It finds no difference at 5 %; the critical difference of ${criticalDifference.toFixed(2)} (Nemenyi, 5 %) is shown, and tells no two methods apart.`
    }`,
    alike.length === 0
      ? 'No two methods are alike by their ranks.'
      : `Not told apart: ${alike.map((group) => group.join(', ')).join('; ')}. That is no proof that they are equal.`,
    `Each data set counts as one independent observation, whatever its size; by how much a method is ahead, and how far seeds lie apart, does not count.${
      repeated
        ? ' Some of these are the same images with another long tail: they are not independent, and p is too small.'
        : ''
    }${dataSets.length < 10 ? ' With fewer than ten data sets p is rough, and only large differences can show.' : ''}`,
  ];
}

/** Lines of the table of methods and data sets: balanced accuracy in percent, and the mean rank where there is one. */
export function overviewRows({ dataSets, methods, ranks }: Overview): { head: string[]; rows: string[][] } {
  const rank = (label: string): string => ranks?.meanRanks[ranks.methods.indexOf(label)]?.toFixed(2) ?? '–';
  return {
    head: ['Method', ...dataSets.map(({ name }) => name), ...(ranks ? ['Mean rank'] : [])],
    rows: methods.map((label) => [
      label,
      ...dataSets.map((set) => withSpread(balancedOf(set, label), decimalsFor(set.comparison.testCount))),
      ...(ranks ? [rank(label)] : []),
    ]),
  };
}
