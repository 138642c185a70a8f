import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** A collection takes about 25 ms; what is smaller may wait. */
const WORTH_BYTES = 16 * 2 ** 20;

/**
 * Frees arrays that nothing holds any more, where there are many: V8 sees only the few bytes by which it knows an array, and may leave
 * a hundred megabytes of them where they are.
 *
 * @param bytes - size of the arrays that have become garbage
 */
export function collectGarbage(bytes: number): void {
  if (bytes < WORTH_BYTES) return;
  setFlagsFromString('--expose-gc');
  (runInNewContext('gc') as () => void)();
}
