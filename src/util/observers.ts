import { emitWarning } from 'node:process';
import { callbackify, promisify } from 'node:util';
import { AsyncSeriesHook } from 'tapable';
import { messageOf } from '../errors.ts';

type ArgumentNames<T extends unknown[]> = ConstructorParameters<typeof AsyncSeriesHook<T>>[0];

/** What tapable asks a hook for when it is called: a function over the taps, whose order it has settled. */
interface Compile<T extends unknown[]> {
  taps: readonly { fn: (...args: T) => unknown }[];
  type: 'async' | 'promise';
}

/**
 * A hook for observers: every tap is called, in order, whatever those before it have come to. Its promise rejects with
 * the first failure, and later ones are reported.
 *
 * @param onFailure - called after the first tap that fails, before the next tap is called
 */
export function observerHook<T extends unknown[]>(
  names: ArgumentNames<T>,
  onFailure: (error: unknown, args: T) => void = () => {},
): AsyncSeriesHook<T> {
  const hook = new AsyncSeriesHook<T>(names);
  // Every tap is a promise to those who register it afterwards, as the guard.
  hook.intercept({
    register: (tap) => (tap.type === 'async' ? { ...tap, type: 'promise', fn: promisify(tap.fn as never) } : tap),
  });
  const compile = ({ taps, type }: Compile<T>) => {
    const call = (...args: T): Promise<void> =>
      callAll(
        taps.map(
          ({ fn }) =>
            () =>
              fn(...args),
        ),
        (error) => onFailure(error, args),
      );
    return type === 'promise' ? call : callbackify(call);
  };
  return Object.assign(hook, { compile });
}

/**
 * Calls all, one after the other, whatever those before have come to; rejects with what the first one that failed threw,
 * and reports what others threw.
 *
 * @param onFailure - called after the first that fails
 */
export async function callAll(
  calls: readonly (() => unknown)[],
  onFailure: (error: unknown) => void = () => {},
): Promise<void> {
  let first: { error: unknown } | undefined;
  for (const call of calls) {
    try {
      await call();
    } catch (error) {
      if (first) {
        reportFailure(error);
        continue;
      }
      first = { error };
      onFailure(error);
    }
  }
  if (first) throw first.error;
}

/** Reports what an observer failed of where the run ends with another error, or has ended: on standard error. */
export function reportFailure(error: unknown): void {
  emitWarning(`${messageOf(error)}\n  It came after the error that the run ends with, and does not replace it.`, {
    type: 'TailmixWarning',
    code: 'OBSERVER_FAILED',
  });
}
