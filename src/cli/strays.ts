import process from 'node:process';
import { isPath } from '../config/own-module.ts';
import { mapLeaves } from '../config/tree.ts';
import { exitCalled, strayFailed } from './errors.ts';

/** Watches for what a run cannot catch itself. */
export interface Strays {
  /** Aborted with the error that the run fails with. */
  signal: AbortSignal;
  /** Ends the watch. */
  stop(): void;
}

/**
 * While a run is trained, an error that nobody catches (of a timer, an event, a promise that nobody awaits) aborts the
 * signal, so that the run ends after its step with all its records; and `process.exit` is an error where it is called.
 *
 * @param resolved - the config: its modules are named where an error does not say where it was made
 */
export function watchStrays(resolved: unknown): Strays {
  const ownFiles = ownModules(resolved);
  const controller = new AbortController();
  const onError = (error: unknown): void => controller.abort(strayFailed(error, 'a timer or an event', ownFiles));
  const onRejection = (error: unknown): void =>
    controller.abort(strayFailed(error, 'a promise that nobody awaits', ownFiles));
  const { exit } = process;
  process.exit = (code) => {
    throw exitCalled(code);
  };
  process.on('uncaughtException', onError).on('unhandledRejection', onRejection);
  return {
    signal: controller.signal,
    stop() {
      process.off('uncaughtException', onError).off('unhandledRejection', onRejection);
      process.exit = exit;
    },
  };
}

/** Modules of the user's own that a config names by a path. */
function ownModules(resolved: unknown): string[] {
  const found = new Set<string>();
  mapLeaves(resolved, (leaf, path) => {
    if (/^(use|name)$/.test(String(path.at(-1))) && typeof leaf === 'string' && isPath(leaf)) found.add(leaf);
    return leaf;
  });
  return [...found];
}
