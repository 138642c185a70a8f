import process from 'node:process';
import { type Command, CommanderError } from 'commander';
import { findOption } from '../config/shape.ts';
import { formatPath } from '../config/tree.ts';
import { messageOf, stackOf, systemCure, systemRefused, TailmixError, toError } from '../errors.ts';
import { PROGRESS_VARIABLE } from '../tracking/progress-message.ts';
import { complain, setQuiet } from './output.ts';
import { createProgram } from './program/program.ts';

const DEBUG = '--debug';
const QUIET = '--quiet';

/** They may stand anywhere, before or behind the command. */
const withoutGlobal = (args: readonly string[]): string[] => args.filter((arg) => arg !== DEBUG && arg !== QUIET);

/**
 * Runs `tailmix` with the given arguments.
 *
 * @param args - without `node` and the script.
 * @returns exit code: 0, 1 for a run that failed, 2 for a fault in config or arguments, 75 for a lost process of a cluster, 130 when interrupted.
 */
export async function main(args: readonly string[]): Promise<number> {
  // For shells alone: no command that --help would list.
  if (args[0] === 'complete') return (await import('./complete.ts')).complete(args.slice(1));
  let exitCode = 0;
  const program = createProgram((code) => {
    exitCode = code;
  });
  for (const command of [program, ...program.commands, ...program.commands.flatMap(({ commands }) => commands)]) {
    command.exitOverride();
  }
  const progress = process.env[PROGRESS_VARIABLE];
  if (args.includes(QUIET)) {
    setQuiet(true);
    process.env[PROGRESS_VARIABLE] ??= 'none';
  }
  try {
    await program.parseAsync(withoutGlobal(args), { from: 'user' });
    return exitCode;
  } catch (thrown) {
    const error = toError(thrown);
    if (error instanceof CommanderError) {
      const setting = await settingOf(error, program, args);
      if (setting !== null) complain(`(It is a setting of the config: --set ${setting}=VALUE)`);
      return error.exitCode === 0 ? 0 : 2;
    }
    const debug = args.includes(DEBUG) || Boolean(process.env.TAILMIX_DEBUG);
    complain(describe(error, debug));
    return error instanceof TailmixError ? error.exitCode : 1;
  } finally {
    setQuiet(false);
    if (progress === undefined) delete process.env[PROGRESS_VARIABLE];
  }
}

/** The place in the config that an unknown option is named after, as `train.epochs` for `--epochs`; null for none. */
async function settingOf({ code, message }: CommanderError, program: Command, [first]: readonly string[]) {
  const takesSettings = program.commands
    .find((command) => command.name() === first)
    ?.options.some(({ long }) => long === '--set');
  const [, flag] = /unknown option '--([\w-]+)/.exec(message) ?? [];
  if (code !== 'commander.unknownOption' || !takesSettings || flag === undefined) return null;
  const { runOptions } = await import('../config/schema.ts');
  const name = flag.replace(/-(\w)/g, (_, letter: string) => letter.toUpperCase());
  const [path] = [name, `${name}s`].flatMap((one) => findOption(runOptions, one));
  return path === undefined ? null : formatPath(path);
}

function describe(error: Error, debug: boolean): string {
  const stack = debug ? `\n\n${stacksOf(error)}` : '';
  if (error instanceof TailmixError) return `${error.message}${stack}`;
  if (systemCure(error) !== null) return `${systemRefused(error)}${stack}`;
  return `internal: ${messageOf(error)}${stack || '\n  This is a fault of tailmix or of a plugin. --debug shows where.'}`;
}

/** The stack and those of its causes. */
function stacksOf(error: Error): string {
  const stacks: Error[] = [];
  for (let next: unknown = error; next !== undefined && stacks.length < 8; next = stacks.at(-1)!.cause) {
    stacks.push(toError(next));
  }
  return stacks.map(stackOf).join('\ncaused by ');
}
