import process from 'node:process';
import type { TailmixError } from '../errors.ts';

/** Prints a line on standard output. */
export const print = (line: string): void => void process.stdout.write(`${line}\n`);

/** Tells something on standard error, so that standard output stays data. */
export const tell = (line: string): void => void process.stderr.write(`${line}\n`);

/** Prints a value as the one JSON document of a command; an infinity as YAML writes it. */
export const printJson = (value: unknown): void =>
  print(JSON.stringify(value, (_, inner: unknown) => (inner === Number.POSITIVE_INFINITY ? '.inf' : inner), 2));

/**
 * Tells of checkpoints that are damaged, for which an older one is used.
 *
 * @returns what is wrong with each, for JSON.
 */
export function tellPassedOver(damaged: readonly TailmixError[]): string[] {
  const messages = damaged.map(({ message }) => message);
  for (const message of messages) tell(`passed over: ${message}`);
  return messages;
}
