import { join } from 'node:path';
import { withLock } from '#lock';
import { writeFailed } from '../errors.ts';
import { makeInRun } from '../write-file.ts';

/** Sends of a run's spool, one at a time. */
export async function whileSending<T>(runDirectory: string, work: () => Promise<T>): Promise<T> {
  const folder = join(runDirectory, 'mlflow');
  await makeInRun(folder).catch((cause) => {
    throw writeFailed(folder, cause);
  });
  return withLock(join(folder, 'sending.lock'), work);
}
