import { TailmixError } from 'tailmix';

/** There are no images to fit on. */
export const validationNeeded = (): TailmixError =>
  new TailmixError(
    '[temperature] expected a validation split, on which the temperature is fitted; the run has none. Set data.split.validation.',
    { code: 'NO_VALIDATION', kind: 'config', plugin: 'temperature' },
  );
