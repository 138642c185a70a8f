import process from 'node:process';
import { tell } from './output.ts';

/** Exit code of a command that was interrupted, as shells have it. */
export const INTERRUPTED = 130;

/** Watches for Ctrl-C while a command works. */
export interface Interruption {
  signal: AbortSignal;
  /** Ends the watch. */
  stop(): void;
}

/**
 * The first SIGINT, SIGTERM or SIGHUP, or the end of the parent process that holds a channel, aborts the signal; a second
 * signal ends the process at once.
 */
export function watchInterrupts(what: string): Interruption {
  const controller = new AbortController();
  // As it is now: while a run is trained, plugins may not call it.
  const { exit } = process;
  const abort = (reason: string): void => {
    if (controller.signal.aborted) exit(INTERRUPTED);
    tell(`\n${reason}: ${what} Again to end at once.`);
    controller.abort(reason);
  };
  const onInt = (): void => abort('interrupted');
  const onTerm = (): void => abort('terminated');
  const onHangup = (): void => abort('the terminal was closed');
  const onDisconnect = (): void => controller.abort('the parent process ended');
  process.on('SIGINT', onInt).on('SIGTERM', onTerm).on('SIGHUP', onHangup).on('disconnect', onDisconnect);
  return {
    signal: controller.signal,
    stop: () =>
      void process.off('SIGINT', onInt).off('SIGTERM', onTerm).off('SIGHUP', onHangup).off('disconnect', onDisconnect),
  };
}
