import { TailmixError } from 'tailmix';

/** Options that contradict the number of experts. */
export const countMismatch = (option: string, expected: string, got: string): TailmixError =>
  new TailmixError(`[experts] ${option}: expected ${expected}; got ${got}.`, {
    code: 'EXPERTS_COUNT',
    kind: 'config',
    plugin: 'experts',
  });
