import { displayPath, messageOf, systemRefused, TailmixError } from '../../errors.ts';

/** A run directory without a spool. */
export const noSpool = (directory: string): TailmixError =>
  new TailmixError(
    `${directory}: expected mlflow/spool.jsonl, which a run with the plugin \`mlflow\` writes; there is none. ` +
      'Point at the directory of such a run.',
    { code: 'SPOOL_MISSING', kind: 'config' },
  );

/** An experiment named by a variable that is not set where the run is sent. */
export const experimentVariable = (experiment: string, name: string): TailmixError =>
  new TailmixError(
    `The MLflow experiment of the run is ${experiment}: expected a variable ${name} in the environment; there is none. Set it, or name an experiment with --experiment.`,
    { code: 'MLFLOW_EXPERIMENT_VARIABLE', kind: 'config' },
  );

/** A spool whose first line is no run. */
export const spoolDamaged = (path: string, found: string): TailmixError =>
  new TailmixError(
    `${path}: expected a run in its first line; ${found}. The file was changed or is of a newer tailmix; restore or delete it.`,
    { code: 'SPOOL_DAMAGED' },
  );

/** A spool that the system refuses to read. */
export const spoolUnreadable = (path: string, cause: unknown): TailmixError =>
  new TailmixError(`${path}: expected to read it; ${systemRefused(cause, 'restore or delete it')}`, {
    code: 'SPOOL_DAMAGED',
    cause,
  });

/** A spool that cannot be written: disk full, no permission. */
export const spoolNotWritten = (path: string, cause: unknown): TailmixError =>
  new TailmixError(
    `${path}: could not be written (${messageOf(cause)}). Training continues; what is missing is kept in memory and tried again.`,
    { code: 'SPOOL_NOT_WRITTEN', cause },
  );

/** A spool that cannot be opened, and will not open later. */
export const spoolNotOpened = (path: string, cause: unknown): TailmixError =>
  new TailmixError(`${path}: expected to write to it; ${systemRefused(cause, 'move what is there away')}`, {
    code: 'SPOOL_NOT_WRITTEN',
    cause,
  });

/** A spool whose last lines were kept in memory until its process ended. */
export const spoolEndsEarly = (path: string, runDirectory: string): TailmixError =>
  new TailmixError(
    `${path}: its last lines could not be written. Free the disk, then \`tailmix train --resume ${displayPath(runDirectory)}\` records what they said.`,
    { code: 'SPOOL_ENDS_EARLY' },
  );

/** The server has no such run any more. */
export const runGone = (server: string, cause: Error): TailmixError =>
  new TailmixError(`MLflow at ${server} does not take the run any more (${cause.message}). It is looked up again.`, {
    code: 'MLFLOW_RUN_GONE',
    cause,
  });

/** Somebody deleted the run in MLflow. */
export const runDeleted = (server: string, runId: string): TailmixError =>
  new TailmixError(
    `MLflow at ${server}: run ${runId} was deleted there. Restore it (\`mlflow runs restore --run-id ${runId}\`), or ` +
      'delete mlflow/sent.json in the run directory to send it as a new one.',
    { code: 'MLFLOW_RUN_DELETED' },
  );

/** The experiment that a variable names was deleted. */
export const experimentGone = (experimentId: string): TailmixError =>
  new TailmixError(
    `MLflow experiment ${experimentId}: it was deleted. Restore it (\`mlflow experiments restore -x ${experimentId}\`), ` +
      'or set MLFLOW_EXPERIMENT_ID to another one.',
    { code: 'MLFLOW_EXPERIMENT' },
  );
