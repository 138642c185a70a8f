import { loadRunConfig, type RunContext } from '../config/load.ts';
import type { ConfigContext } from '../config/resolve.ts';
import { TailmixError } from '../errors.ts';
import { findLatest } from '../tracking/checkpoint.ts';
import { isRun, marksOfRun, readSummary } from '../tracking/run-directory.ts';
import { runFiles } from '../tracking/run-files.ts';
import { otherWriter, readWritten } from '../tracking/written-by.ts';
import type { PlannedRun } from './expand.ts';

/** What is there of a run. */
export type RunState =
  | { kind: 'new' | 'unfinished' | 'finished' }
  /** Something that this run can neither go on with nor write over. */
  | { kind: 'foreign'; reason: string }
  /** A run that would be executed, and of which nothing says that it is the user's own. */
  | { kind: 'untrusted'; error: TailmixError };

/**
 * Looks at a run's directory and changes nothing.
 *
 * @throws {TailmixError} RUN_UNREADABLE, CONFIG_UNREADABLE, CHECKPOINT_UNREADABLE: what cannot be read now may be whole.
 */
export async function stateOf(
  { directory, hash }: PlannedRun,
  context: ConfigContext & Pick<RunContext, 'trust'>,
): Promise<RunState> {
  if (!isRun(directory)) {
    const found = await marksOfRun(directory).catch(() => []);
    return found.length === 0 ? { kind: 'new' } : foreign(`it holds ${found.join(', ')}, and no ${runFiles.config}`);
  }
  // A damaged summary is written again by the resumed run.
  const summary = await damagedAs(readSummary(directory), () => null);
  if (summary?.status === 'finished' && summary.configHash === hash) return { kind: 'finished' };
  const config = await damagedAs(
    readWritten(directory, () => loadRunConfig(directory, context)),
    (error): RunState => (error.code === 'RUN_NOT_TRUSTED' ? { kind: 'untrusted', error } : foreign(error.message)),
  );
  if ('kind' in config) return config;
  const writer = await otherWriter(directory);
  const of = `of other settings${writer === null ? '' : `, and tailmix ${writer} wrote it`}`;
  if (config.hash !== hash) return foreign(`its ${runFiles.config} is ${of}`);
  const latest = await damagedAs(findLatest(directory), ({ message }) => message);
  if (typeof latest === 'string') return foreign(latest);
  if (latest && latest.snapshot.configHash !== hash) return foreign(`its checkpoints are ${of}`);
  return { kind: 'unfinished' };
}

const foreign = (reason: string) => ({ kind: 'foreign' as const, reason: reason.replaceAll(/\s*\n\s*/g, ' ') });

/** What stands for a file that is damaged. */
const damagedAs = <T, U>(reading: Promise<T>, otherwise: (error: TailmixError) => U): Promise<T | U> =>
  reading.catch((error: unknown) => {
    if (error instanceof TailmixError && !error.code.endsWith('_UNREADABLE')) return otherwise(error);
    throw error;
  });
