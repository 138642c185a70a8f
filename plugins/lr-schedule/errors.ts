import { TailmixError } from 'tailmix';

const name = 'lr-schedule';

const scheduleError = (message: string): TailmixError =>
  new TailmixError(message, { code: 'LEARNING_RATE', kind: 'config', plugin: name });

/** Milestones that do not rise. */
export const milestoneOrder = (moments: readonly number[], epochs: number): TailmixError =>
  scheduleError(
    `lr-schedule.milestones: expected epochs in rising order, got ${moments.join(', ')} of ${epochs}. Sort them.`,
  );

/** As many factors as milestones are due. */
export const factorCount = (milestones: number, factors: number): TailmixError =>
  scheduleError(
    `lr-schedule.gamma: expected ${milestones} factors, one per milestone; got ${factors}. ` +
      'Give as many, or one number to multiply by at each milestone.',
  );
