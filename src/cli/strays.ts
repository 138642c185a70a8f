import process from 'node:process';
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
 */
export function watchStrays(): Strays {
  const controller = new AbortController();
  const onStray = (error: unknown, origin: NodeJS.UncaughtExceptionOrigin): void =>
    controller.abort(strayFailed(error, origin));
  const { exit } = process;
  process.exit = (code) => {
    throw exitCalled(code);
  };
  process.on('uncaughtException', onStray);
  return {
    signal: controller.signal,
    stop() {
      process.off('uncaughtException', onStray);
      process.exit = exit;
    },
  };
}
