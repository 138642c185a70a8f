import type { Fault } from '../util/fault.ts';
import { pluginFailed, returnedWrong } from './errors.ts';
import { swapMiss } from './misses.ts';

/** Where a plugin's function is from: what errors name. */
export interface Origin {
  plugin: string;
  /** A hook, or a part of the definition, as `extendModel`. */
  hook: string;
  /** Field of what the hook returned, as `penalties.mine`. */
  part?: string;
}

const running: (Origin | null)[] = [];

/** Where the code is from that is running inside a `build…` function; null in core's own and the model's. */
export const currentOrigin = (): Origin | null => running.at(-1) ?? null;

/** The plugin whose code is running inside a `build…` function; undefined in core's own. */
export const currentOwner = (): string | undefined => currentOrigin()?.plugin;

const origins = new WeakMap<object, Origin | null>();

/** Where a function of the step is from; null for core's and the model's. */
export const originOf = (fn: object): Origin | null => origins.get(fn) ?? null;

/** Whether a function says already whose it is. */
export const isOwned = (fn: object): boolean => origins.has(fn);

/**
 * The function, known as somebody's while it runs; what it throws and what it wrongly returns is reported as theirs. One
 * that has an owner already keeps it.
 *
 * @param origin - null for core's own
 * @param faultOf - what is wrong with a result; null where nothing is
 */
export function ownedBy<Fn extends (...args: never[]) => unknown>(
  origin: Origin | null,
  fn: Fn,
  faultOf: (result: ReturnType<Fn>, args: Parameters<Fn>) => Fault | null = () => null,
): Fn {
  if (isOwned(fn)) return fn;
  const owned = (...args: Parameters<Fn>): unknown => {
    running.push(origin);
    const missedBefore = swapMiss(undefined);
    try {
      const result = fn(...args) as ReturnType<Fn>;
      const fault = origin && faultOf(result, args);
      if (origin && fault) throw returnedWrong(origin, fault);
      swapMiss(missedBefore);
      return result;
    } catch (error) {
      const miss = swapMiss(missedBefore);
      throw origin ? pluginFailed(origin, error, miss) : error;
    } finally {
      running.pop();
    }
  };
  origins.set(owned, origin);
  return owned as unknown as Fn;
}
