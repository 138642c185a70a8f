import { TailmixError } from 'tailmix';

/** The config is kept in every run directory. */
export const serverWithCredentials = (): TailmixError =>
  new TailmixError(
    'mlflow.server: expected an address without user and password, since the config is kept with every run. ' +
      'Set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD instead.',
    { code: 'MLFLOW_CREDENTIALS', kind: 'config', plugin: 'mlflow' },
  );

/** `required`, and nothing to send to. */
export const trackingRequired = (why: string): TailmixError =>
  new TailmixError(`mlflow.required: expected a server that takes the run; ${why}.`, {
    code: 'MLFLOW_REQUIRED',
    kind: 'config',
    plugin: 'mlflow',
  });
