import { substituteText } from '../../util/placeholders.ts';
import { experimentVariable } from './errors.ts';

/**
 * Name of an experiment where it is sent to; a spool has placeholders as they were written.
 *
 * @throws {TailmixError} MLFLOW_EXPERIMENT_VARIABLE
 */
export function filledIn(experiment: string): string {
  const { value, missing } = substituteText(experiment);
  if (missing.length > 0) throw experimentVariable(experiment, missing[0]!);
  return value;
}
