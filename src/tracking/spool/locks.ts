import { join } from 'node:path';
import { withLock } from '#lock';

/** Sends of a run's spool, one at a time. */
export const whileSending = <T>(runDirectory: string, work: () => Promise<T>): Promise<T> =>
  withLock(join(runDirectory, 'mlflow', 'sending.lock'), work);
