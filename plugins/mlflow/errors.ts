import { TailmixError } from 'tailmix';

/** The config is kept in every run directory. */
export const serverWithCredentials = (): TailmixError =>
  new TailmixError(
    'mlflow.server: expected an address without user and password, since the config is kept with every run. ' +
      'Set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD instead.',
    { code: 'MLFLOW_CREDENTIALS', kind: 'config', plugin: 'mlflow' },
  );
