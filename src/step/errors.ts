import { TailmixError } from '../errors.ts';

export const wrongInput = (call: string, name: string, expected: string, got: string): TailmixError =>
  new TailmixError(`step ${call}, input ${name}: expected ${expected}, got ${got}.`, { code: 'STEP_INPUT' });

export const unknownState = (name: string): TailmixError =>
  new TailmixError(`step: there is no state named "${name}".`, { code: 'STEP_STATE' });
