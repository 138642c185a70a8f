import { join } from 'node:path';
import { isLocked, withLock } from '#lock';

/** `running`: the run is being trained. `sending`: its spool is being sent. */
type Lock = 'running' | 'sending';

/** File of a lock of a run directory. */
export const lockPath = (runDirectory: string, lock: Lock): string => join(runDirectory, 'mlflow', `${lock}.lock`);

/** Whether a process that is alive trains the run, or sends it. */
export const isHeld = (runDirectory: string, lock: Lock): Promise<boolean> => isLocked(lockPath(runDirectory, lock));

/**
 * Marks a run as being trained until the returned function is called. A process that is killed leaves a mark that
 * counts for nothing.
 */
export function markRunning(runDirectory: string): () => Promise<void> {
  let end = (): void => {};
  const ended = new Promise<void>((resolve) => {
    end = resolve;
  });
  const held = withLock(lockPath(runDirectory, 'running'), () => ended).catch(() => {});
  return () => {
    end();
    return held;
  };
}
