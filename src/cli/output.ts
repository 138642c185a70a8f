import process from 'node:process';
import type { TailmixError } from '../errors.ts';
import type { Ownership } from '../tracking/ownership.ts';

/** Prints a line on standard output. */
export const print = (line: string): void => void process.stdout.write(`${line}\n`);

let isQuiet = false;

/** Whether progress and remarks are left out (`--quiet`). */
export const setQuiet = (quiet: boolean): void => {
  isQuiet = quiet;
};

/** Says an error or a warning on standard error, so that standard output stays data. */
export const complain = (line: string): void => void process.stderr.write(`${line}\n`);

/** Tells something on standard error that `--quiet` leaves out. */
export const tell = (line: string): void => {
  if (!isQuiet) complain(line);
};

/** Where progress goes: standard error, or nowhere. */
export const progressStream = (): NodeJS.WriteStream =>
  isQuiet ? Object.assign(Object.create(process.stderr), { isTTY: false, write: () => true }) : process.stderr;

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
  for (const message of messages) complain(`passed over: ${message}`);
  return messages;
}

/** Says that the lock of a job that has ended was taken over, or that something was moved from its place. */
export function tellTaken({ taken }: Ownership): void {
  if (taken !== null) complain(taken);
}
