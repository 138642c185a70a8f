import type { DataOptions, ProfileName } from './options.ts';

/** Form of a long tail. */
export interface Profile {
  profile: ProfileName;
  /** Imbalance ratio rho = largest / smallest class, ≥ 1. */
  ratio: number;
  /** Fraction of small classes, `step` only. */
  mu: number;
}

type Written = Pick<DataOptions, 'profile' | 'ratio' | 'mu'>;

/** What a run's `data` says of its long tail, with defaults; `standard` is the data set's own profile. */
export const profileOf = ({ profile, ratio = 100, mu = 0.5 }: Written, standard: ProfileName): Profile => ({
  profile: profile ?? standard,
  ratio,
  mu,
});

/** Options that were written and that the profile does not use, each as a sentence. */
export function unusedOf(data: Written, standard: ProfileName): string[] {
  const { profile } = profileOf(data, standard);
  const is = data.profile === undefined ? 'is by default' : 'is';
  const sentences: string[] = [];
  if (data.ratio !== undefined && profile === 'none') {
    sentences.push(
      `ratio ${data.ratio} has no effect: profile ${is} none, which keeps all images. Set profile: exp, or leave out ratio.`,
    );
  }
  if (data.mu !== undefined && profile !== 'step') {
    sentences.push(`mu ${data.mu} has no effect: profile ${is} ${profile}, and only step uses mu. Leave it out.`);
  }
  return sentences;
}

/** A profile in a name: `exp-100`; null for `none`. */
export const profileLabel = ({ profile, ratio }: Profile): string | null =>
  profile === 'none' ? null : `${profile}-${ratio}`;

/**
 * Integer part, where a result within one part in 10⁹ of an integer counts as that integer: `pow` differs by an ulp
 * between engines, and 5000 · 0.001^(3/9) must be 500 on all of them.
 */
function truncate(value: number): number {
  const nearest = Math.round(value);
  return Math.abs(value - nearest) <= 1e-9 * nearest ? nearest : Math.trunc(value);
}

/** Share of the largest class that class c of C keeps, in (0, 1]. */
function share(c: number, C: number, { profile, ratio, mu }: Profile): number {
  if (profile === 'none' || C === 1) return 1;
  if (profile === 'exp') return (1 / ratio) ** (c / (C - 1));
  return c < C - truncate(mu * C) ? 1 : 1 / ratio;
}

/**
 * Images per class of a synthetic long tail (Cui et al. 2019; Cao et al. 2019), classes in label order.
 *
 * - `exp`: `trunc(max · (1/ratio)^(c/(C−1)))`, c = 0…C−1
 * - `step` (Buda et al. 2018): the last `trunc(mu · C)` classes have `trunc(max / ratio)`, the others `max`
 * - `none`: `max` in every class
 *
 * @param max - images of the largest class
 * @param classCount - C
 * @returns `[C]`
 */
export function longTailCounts(max: number, classCount: number, profile: Profile): number[] {
  return Array.from({ length: classCount }, (_, c) => truncate(max * share(c, classCount, profile)));
}

/**
 * The largest long tail of a form that fits into what there is. On a balanced set its largest class is a full class;
 * on an unequal one `max` is the largest number for which every class has its exact count.
 *
 * @param available - images per class, `[C]`
 * @returns `[C]`; for `none` the available counts themselves
 */
export function fitLongTail(available: readonly number[], profile: Profile): number[] {
  if (profile.profile === 'none') return [...available];
  const C = available.length;
  let max = Math.min(...available.map((n, c) => Math.ceil((n + 1) / share(c, C, profile))));
  for (; max > 0; max--) {
    const counts = longTailCounts(max, C, profile);
    if (counts.every((n, c) => n <= available[c]!)) return counts;
  }
  return available.map(() => 0);
}
