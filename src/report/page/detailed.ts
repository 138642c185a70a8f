import type { Comparison } from '../compare.ts';

/** Methods that have panels, columns and configurations in a page. */
const MOST = 60;

/**
 * Which methods a page shows in detail. Of more than 60 the best ones stand first, after the baseline, in all tables; 60 of them have panels,
 * columns and configurations, and the page says so.
 *
 * @returns `all`, for what has a row or a point for each method, and `detailed`, for all else
 */
export function detailedMethods(comparison: Comparison): {
  all: Comparison;
  detailed: Comparison;
  note: string | null;
} {
  const [baseline, ...others] = comparison.methods;
  if (others.length < MOST) return { all: comparison, detailed: comparison, note: null };
  const balanced = ({ figures }: (typeof others)[number]): number => figures.balancedAccuracy!.mean;
  const methods = [baseline!, ...others.toSorted((a, b) => balanced(b) - balanced(a))];
  return {
    all: { ...comparison, methods },
    detailed: { ...comparison, methods: methods.slice(0, MOST) },
    note: `Of ${methods.length} methods, after ${baseline!.label} the best by balanced accuracy on the test set stand first; the first ${MOST} have charts of their own, columns and configurations. Tables with a row for each method, and the files beside this page, have all.`,
  };
}
