import { messageOf, TailmixError } from '../../errors.ts';

/** A run directory without a spool. */
export const noSpool = (directory: string): TailmixError =>
  new TailmixError(
    `${directory}: expected mlflow/spool.jsonl, which a run with the plugin \`mlflow\` writes; there is none. ` +
      'Point at the directory of such a run.',
    { code: 'SPOOL_MISSING', kind: 'config' },
  );

/** A spool whose first line is no run. */
export const spoolDamaged = (path: string, found: string): TailmixError =>
  new TailmixError(
    `${path}: expected a run in its first line; ${found}. The file was changed or is of a newer tailmix; restore or delete it.`,
    { code: 'SPOOL_DAMAGED' },
  );

/** A spool that cannot be written: disk full, no permission. */
export const spoolNotWritten = (path: string, cause: unknown): TailmixError =>
  new TailmixError(
    `${path}: could not be written (${messageOf(cause)}). Training goes on; what is missing is kept in memory and tried again.`,
    { code: 'SPOOL_NOT_WRITTEN', cause },
  );
