import process from 'node:process';
import { createInterface } from 'node:readline/promises';

/** Asks a question; an empty answer takes what is proposed. */
export type Ask = (question: string) => Promise<string>;

/**
 * Calls a function with a way to ask.
 *
 * @param given - Default: the terminal; where there is none, the function is called without.
 */
export async function asking<T>(given: Ask | undefined, call: (ask: Ask | undefined) => Promise<T>): Promise<T> {
  if (given !== undefined || !process.stdin.isTTY) return call(given);
  const terminal = createInterface(process.stdin, process.stderr);
  try {
    return await call((question) => terminal.question(question));
  } finally {
    terminal.close();
  }
}
