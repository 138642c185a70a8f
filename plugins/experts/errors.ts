import { TailmixError } from 'tailmix';

/** Options that contradict the number of experts. */
export const countMismatch = (option: string, expected: string, got: string): TailmixError =>
  new TailmixError(`[experts] ${option}: expected ${expected}; got ${got}.`, {
    code: 'EXPERTS_COUNT',
    kind: 'config',
    plugin: 'experts',
  });

/** Too few images to aggregate experts by. */
export const imagesFew = (expected: number, got: number): TailmixError =>
  new TailmixError(
    `[experts] --adapt: expected at least ${expected} images, one batch of the method; got ${got}. Evaluate them without --adapt.`,
    { code: 'EXPERTS_IMAGES', kind: 'config', plugin: 'experts' },
  );
