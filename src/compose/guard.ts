import { type HookName, type Hooks, isAsync } from '../hooks.ts';
import type { RunInfo } from '../run.ts';
import { adopt, isBuildHook } from '../step/built.ts';
import { type Decided, decidedFaults } from '../step/decided.ts';
import { pluginFailed, returnedWrong } from '../step/errors.ts';
import { createLeakWatch, liveTensors, warnOfLeak } from '../step/leaks.ts';
import type { EpochContext } from '../step/types.ts';
import { describeValue, isThenable } from '../util/fault.ts';
import { returnedNothing, returnedPromise, tapNamedOtherwise } from './errors.ts';

/** Wall time that a plugin spent in a hook, in milliseconds, and how often it was called. */
export interface TapTiming {
  plugin: string;
  hook: HookName;
  calls: number;
  milliseconds: number;
}

const isWaterfall = (hook: HookName): boolean => !isAsync(hook) && hook !== 'onBatchEnd';

/** What returned values are checked against; variants and inputs grow while plugins are applied. */
export interface Guarded extends Decided {
  info: Decided['info'] & Pick<RunInfo, 'featureSize'>;
}

/**
 * Wraps every tap that is made from now on: an error gets the plugin's and the hook's name (its cause is kept), a
 * Promise, `undefined` or anything else that is not the value due is refused, the time is counted, a leak is reported,
 * and what a `build…` tap adds is known as the plugin's while it runs, and checked too.
 *
 * @param owner - the plugin being applied; a tap under another name is refused.
 * @param timings - where the times are kept.
 */
export function guardHooks(hooks: Hooks, owner: () => string, run: Guarded, timings: TapTiming[] = []): TapTiming[] {
  for (const hook of Object.keys(hooks) as HookName[]) {
    hooks[hook].intercept({
      register: (tap) => {
        const plugin = owner();
        const { fn } = tap as GuardedTap;
        if (tap.name !== plugin) throw tapNamedOtherwise(plugin, hook, tap.name);
        if (typeof fn !== 'function') {
          throw returnedWrong({ plugin, hook, part: 'tap' }, { expected: 'a function', got: describeValue(fn) });
        }
        const timing: TapTiming = { plugin, hook, calls: 0, milliseconds: 0 };
        timings.push(timing);
        return { ...tap, fn: guardTap(tap as GuardedTap, hook, timing, run) };
      },
    });
  }
  return timings;
}

// biome-ignore lint/complexity/noBannedTypes: tapable's own type of a tap's function.
type GuardedTap = { name: string; type: 'sync' | 'async' | 'promise'; fn: Function };

/** A Promise that nobody waits for must not end the process when it fails. */
export const ignoreOutcome = (promise: PromiseLike<unknown>): void => void promise.then(undefined, () => {});

/** Tensors that the taps of plugins have left so far: those of a plugin inside another are not the other's. */
let leftByTaps = 0;

function guardTap({ name: plugin, fn, type }: GuardedTap, hook: HookName, timing: TapTiming, run: Guarded) {
  const leaks = createLeakWatch();
  const taken = (value: unknown, args: unknown[]): unknown => {
    if (isThenable(value)) {
      ignoreOutcome(value);
      throw returnedPromise(plugin, hook);
    }
    if (value === undefined && isWaterfall(hook)) throw returnedNothing(plugin, hook);
    const sizes = { classes: run.info.classes.length, featureSize: run.info.featureSize };
    if (isBuildHook(hook)) return adopt({ plugin, hook }, value, { before: args[0], sizes });
    const fault = decidedFaults[hook]?.(value, args[0], run, args[1] as EpochContext);
    if (fault) throw returnedWrong({ plugin, hook }, fault);
    return value;
  };
  return (...args: unknown[]): unknown => {
    const start = performance.now();
    const others = liveTensors() - leftByTaps;
    const stop = (): void => {
      timing.calls++;
      timing.milliseconds += performance.now() - start;
      const left = liveTensors() - leftByTaps - others;
      leftByTaps += left;
      if (leaks(left)) warnOfLeak(plugin, hook, left);
    };
    const fail = (error: unknown): never => {
      throw pluginFailed({ plugin, hook }, error);
    };
    let value: unknown;
    try {
      value = fn(...args);
    } catch (error) {
      fail(error);
    }
    if (type === 'promise') return Promise.resolve(value).then(stop, fail);
    stop();
    try {
      return taken(value, args);
    } catch (error) {
      return fail(error);
    }
  };
}
