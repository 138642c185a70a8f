import { TailmixError } from 'tailmix';

const name = 'checkpoint';

/** Nothing to choose the best epoch by. */
export const noValidation = (): TailmixError =>
  new TailmixError(
    'checkpoint.best: expected a validation split for `best: validation`, got none. ' +
      'Set data.split.validation, or `best: none`.',
    { code: 'NO_VALIDATION', kind: 'config', plugin: name },
  );
