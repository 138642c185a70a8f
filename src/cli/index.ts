import process from 'node:process';
import { CommanderError } from 'commander';
import { messageOf, systemCure, systemRefused, TailmixError } from '../errors.ts';
import { tell } from './output.ts';
import { createProgram } from './program.ts';

const DEBUG = '--debug';

/** It may stand anywhere, before or behind the command. */
const withoutDebug = (args: readonly string[]): string[] => args.filter((arg) => arg !== DEBUG);

/**
 * Runs `tailmix` with the given arguments.
 *
 * @param args - without `node` and the script.
 * @returns exit code: 0, 1 for a run that failed, 2 for a fault in config or arguments, 130 when interrupted.
 */
export async function main(args: readonly string[]): Promise<number> {
  let exitCode = 0;
  const program = createProgram((code) => {
    exitCode = code;
  });
  for (const command of [program, ...program.commands, ...program.commands.flatMap(({ commands }) => commands)]) {
    command.exitOverride();
  }
  try {
    await program.parseAsync(withoutDebug(args), { from: 'user' });
    return exitCode;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    const debug = args.includes(DEBUG) || Boolean(process.env.TAILMIX_DEBUG);
    tell(describe(error, debug));
    return error instanceof TailmixError ? error.exitCode : 1;
  }
}

function describe(error: unknown, debug: boolean): string {
  const stack = error instanceof Error && debug ? `\n\n${stackOf(error)}` : '';
  if (error instanceof TailmixError) return `${error.message}${stack}`;
  if (systemCure(error) !== null) return `${systemRefused(error)}${stack}`;
  return `internal: ${messageOf(error)}${stack || '\n  This is a fault of tailmix or of a plugin. --debug shows where.'}`;
}

/** The stack and those of its causes. */
const stackOf = (error: Error): string =>
  `${error.stack}${error.cause instanceof Error ? `\ncaused by ${stackOf(error.cause)}` : ''}`;
