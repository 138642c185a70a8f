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

/** Signals that ask a command to end, and what each says. Grid Engine sends SIGUSR2 before it kills; SIGUSR1 is Node's own. */
const signals = {
  SIGINT: 'interrupted',
  SIGTERM: 'terminated',
  SIGHUP: 'the terminal was closed',
  SIGQUIT: 'asked to quit',
  SIGUSR2: 'warned by SIGUSR2',
} as const;
const names = Object.keys(signals) as (keyof typeof signals)[];

/**
 * The first of these {@link signals}, or the end of the parent process that holds a channel, aborts the signal; a second
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
  const onSignal = (name: keyof typeof signals): void => abort(signals[name]);
  const onDisconnect = (): void => controller.abort('the parent process ended');
  for (const name of names) process.on(name, onSignal);
  process.on('disconnect', onDisconnect);
  return {
    signal: controller.signal,
    stop() {
      for (const name of names) process.off(name, onSignal);
      process.off('disconnect', onDisconnect);
    },
  };
}
