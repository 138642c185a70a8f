import { groupNames, groupOf } from './groups.ts';
import type { LogitTable } from './logits.ts';
import { adjustedPerClass, probabilityFigures } from './probabilities.ts';
import { shiftedAccuracy, shiftedMean, shiftedPriors, shifts } from './shift.ts';
import { falseHeadRate, geometricMean, harmonicMean, worstClasses } from './tail.ts';
import type { Evaluation, GroupRule } from './types.ts';

/** A figure beyond the headline. */
export interface FurtherFigure {
  name: string;
  title: string;
  /** In a terminal. */
  short: string;
  better: 'high' | 'low';
}

const capital = (text: string): string => text[0]!.toUpperCase() + text.slice(1);

/** A figure for each shifted test set. */
const shifted = (suffix = ''): FurtherFigure[] =>
  shifts.map(({ name, direction, ratio }) => ({
    name: `${name}${suffix}`,
    title: direction === 'uniform' ? 'Uniform' : `${capital(direction)} ${ratio}`,
    short: direction === 'uniform' ? 'unif' : `${direction[0]}${ratio}`,
    better: 'high',
  }));

/** Figures beyond the headline, by what they tell; they are chosen and shown by these names. */
export const furtherSections = {
  tail: [
    { name: 'gMean', title: 'G-mean', short: 'G-mean', better: 'high' },
    { name: 'harmonicMean', title: 'Harmonic mean', short: 'H-mean', better: 'high' },
    { name: 'worstTenth', title: 'Worst tenth of the classes', short: 'worst 10%', better: 'high' },
    { name: 'falseHeadRate', title: 'False head rate', short: 'false head', better: 'low' },
  ],
  calibration: [
    { name: 'nll', title: 'NLL', short: 'NLL', better: 'low' },
    { name: 'brier', title: 'Brier', short: 'Brier', better: 'low' },
    { name: 'classwiseEce', title: 'Class-wise ECE', short: 'cw-ECE', better: 'low' },
    ...groupNames.map((group) => ({
      name: `ece${capital(group)}`,
      title: `ECE, ${group}`,
      short: `ECE ${group}`,
      better: 'low' as const,
    })),
    { name: 'aurc', title: 'AURC', short: 'AURC', better: 'low' },
  ],
  shift: [...shifted(), { name: 'shiftMean', title: 'Mean', short: 'mean', better: 'high' }],
  'shift-known': [...shifted('Known'), { name: 'shiftMeanKnown', title: 'Mean', short: 'mean', better: 'high' }],
} as const satisfies Record<string, readonly FurtherFigure[]>;

export type FurtherSection = keyof typeof furtherSections;

/** What the sections show, in words. */
export const furtherTitles: Readonly<Record<FurtherSection, string>> = {
  tail: 'The tail',
  calibration: 'Probabilities',
  shift: 'Other class shares in the test set',
  'shift-known': 'The same, with the class shares known to the classifier',
};

/** Names of all of them. */
export const furtherNames: readonly string[] = Object.values(furtherSections).flatMap((section) =>
  section.map(({ name }) => name),
);

/** By which class shares a classifier's logits are log-posteriors: those of the training set, or equal ones. */
export type LogitPrior = 'training' | 'uniform';

/**
 * All figures beyond the headline that an evaluation gives, by name. What does not exist, as the ECE of a group without
 * classes, is not there. docs/metrics.md has the definitions.
 *
 * @param evaluation - with its confusion matrix, or without what follows from it
 * @param table - its logits; null: without what follows from them
 * @param prior - what the logits estimate, for predictions that know the class shares of a test set
 */
export function furtherFigures(
  { perClass, confusion }: Pick<Evaluation, 'perClass' | 'confusion'>,
  table: LogitTable | null,
  { classCounts, groups, prior }: { classCounts: ArrayLike<number>; groups: GroupRule; prior: LogitPrior },
): Record<string, number> {
  const priors = shiftedPriors(classCounts);
  const shift = Object.fromEntries([...priors].map(([name, shares]) => [name, shiftedAccuracy(perClass, shares)]));
  const found: Record<string, number | null> = {
    gMean: geometricMean(perClass),
    harmonicMean: harmonicMean(perClass),
    worstTenth: worstClasses(perClass, Math.ceil(perClass.filter((one) => one !== null).length / 10)),
    falseHeadRate: confusion && falseHeadRate(confusion, classCounts, groups),
    ...(table && ofProbabilities(table, classCounts, groups)),
    ...shift,
    shiftMean: shiftedMean(shift),
    ...(table && known(table, priors, { classCounts, prior })),
  };
  return Object.fromEntries(Object.entries(found).filter((entry): entry is [string, number] => entry[1] !== null));
}

function ofProbabilities(table: LogitTable, classCounts: ArrayLike<number>, groups: GroupRule): Record<string, number> {
  const groupOfClass = Array.from(classCounts, (count) => groupOf(count, groups));
  const { nll, brier, classwiseEce, groupEce, aurc } = probabilityFigures(table, groupOfClass);
  const byGroup = groupNames.flatMap((group): [string, number][] =>
    groupEce[group] === undefined ? [] : [[`ece${capital(group)}`, groupEce[group]]],
  );
  return { nll, brier, classwiseEce, ...Object.fromEntries(byGroup), aurc };
}

/** Predictions by `z_c + log π_test(c) − log π(c)`, where π is what the logits estimate (Hong et al. 2021, equation 9). */
function known(
  table: LogitTable,
  priors: ReadonlyMap<string, Float64Array>,
  { classCounts, prior }: { classCounts: ArrayLike<number>; prior: LogitPrior },
): Record<string, number> {
  // A class without training images counts as one of a single image.
  const own = Float64Array.from(classCounts, (count) => (prior === 'uniform' ? 0 : Math.log(Math.max(count, 1))));
  const offsets = [...priors.values()].map((shares) => shares.map((share, c) => Math.log(share) - own[c]!));
  const perClass = adjustedPerClass(table, offsets);
  const accuracies = Object.fromEntries(
    [...priors].map(([name, shares], k) => [name, shiftedAccuracy(perClass[k]!, shares)]),
  );
  const renamed = Object.entries(accuracies).map(([name, accuracy]) => [`${name}Known`, accuracy]);
  return { ...Object.fromEntries(renamed), shiftMeanKnown: shiftedMean(accuracies) };
}
