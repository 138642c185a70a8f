import { TailmixError } from 'tailmix';

const name = 'early-stopping';

/** Nothing to judge by. */
export const noValidation = (): TailmixError =>
  new TailmixError(
    'early-stopping.split: expected a validation split for `split: validation`, got none. ' +
      'Set data.split.validation, or `split: test`.',
    { code: 'NO_VALIDATION', kind: 'config', plugin: name },
  );
