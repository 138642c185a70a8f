import { setImmediate } from 'node:timers/promises';

/**
 * Gives signals, timers and I/O a turn. A training step is synchronous: without a turn between steps, no Ctrl-C, progress
 * bar or upload would be handled before the epoch is over.
 */
export const yieldToEventLoop = (): Promise<void> => setImmediate();
