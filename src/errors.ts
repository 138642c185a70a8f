import { isAbsolute, relative } from 'node:path';
import process from 'node:process';
import { inspect } from 'node:util';

/** Exit code of what would go on if it were started again (`EX_TEMPFAIL` of `sysexits.h`). */
export const TRY_AGAIN = 75;

/** What a {@link TailmixError} says beside its message. */
export interface ErrorDetails {
  /** Stable identifier in capitals, for example `CAPABILITY_TAKEN`. */
  code: string;
  /**
   * `config`: the input is at fault (exit code 2). `run`: something failed while working (exit code 1). `again`: so it did, by
   * no fault of the run, and it would go on if it were started again (exit code 75, as `sysexits.h` has it).
   */
  kind?: 'config' | 'run' | 'again';
  plugin?: string;
  hook?: string;
  /** Where in the user's input, for example `my-run.yaml  plugins[1].kappa`. */
  path?: string;
  cause?: unknown;
}

/**
 * The one error class of tailmix. Messages follow one grammar: where, what was expected, what came, what to do.
 * Each message is a function in an `errors.ts`; the CLI prints the message alone and exits with {@link exitCode}.
 */
export class TailmixError extends Error {
  override name = 'TailmixError' as const;
  readonly code: string;
  readonly kind: 'config' | 'run' | 'again';
  readonly plugin: string | undefined;
  readonly hook: string | undefined;
  readonly path: string | undefined;

  constructor(message: string, { code, kind = 'run', plugin, hook, path, cause }: ErrorDetails) {
    super(message, cause === undefined ? {} : { cause });
    this.code = code;
    this.kind = kind;
    this.plugin = plugin;
    this.hook = hook;
    this.path = path;
  }

  /** 2 for a fault in the configuration, 1 for a failed run, 75 for one that would go on if it were started again. */
  get exitCode(): 1 | 2 | 75 {
    return ({ config: 2, run: 1, again: TRY_AGAIN } as const)[this.kind];
  }
}

/** A broken promise of our own code, never of the user's input. */
export const internal = (what: string): TailmixError => new TailmixError(`internal: ${what}`, { code: 'INTERNAL' });

/** Message of anything that was thrown. Never throws itself, whatever code a foreign error runs when it is read. */
export function messageOf(thrown: unknown): string {
  if (typeof thrown === 'string') return thrown;
  try {
    const { message, name } = Object(thrown) as { message?: unknown; name?: unknown };
    if (typeof message !== 'string') return inspect(thrown, INERT).slice(0, 300);
    return message === '' ? `${typeof name === 'string' ? name : 'Error'} without a message` : message;
  } catch {
    return 'an error that cannot be read';
  }
}

/** Of `inspect`: it runs no code of the value. */
const INERT = { depth: 1, breakLength: Number.POSITIVE_INFINITY, customInspect: false, showProxy: true } as const;

/** What is read of errors. */
const FIELDS = ['name', 'message', 'stack', 'cause', 'code', 'syscall', 'kind', 'plugin', 'hook', 'path'] as const;

/** What was thrown, where it is an error whose fields can be read; else an error with its message. */
export function toError(thrown: unknown): Error {
  try {
    if (thrown instanceof Error) {
      const read = FIELDS.map((field) => (thrown as unknown as Record<string, unknown>)[field]);
      if (typeof read[FIELDS.indexOf('message')] === 'string') return thrown;
    }
  } catch {}
  return new Error(messageOf(thrown));
}

/** Stack of anything that was thrown; empty where it has none that can be read. */
export function stackOf(thrown: unknown): string {
  try {
    const { stack } = Object(thrown) as { stack?: unknown };
    return typeof stack === 'string' ? stack : '';
  } catch {
    return '';
  }
}

/** What to do where the system refuses a file or a folder, by its code. */
const CURES: Readonly<Record<string, (choose: string) => string>> = {
  EACCES: (choose) => `You have no permission there: ${choose}, or change its permissions.`,
  EPERM: (choose) => `You have no permission there: ${choose}, or change its permissions.`,
  EROFS: (choose) => `That disk is read-only: make it writable, or ${choose}.`,
  ENOSPC: (choose) => `The disk is full: free space, or ${choose}.`,
  EDQUOT: (choose) => `Your quota is used up: free space, or ${choose}.`,
  EEXIST: (choose) => `A file is where a folder is needed: ${choose}.`,
  ENOTDIR: (choose) => `A file is where a folder is needed: ${choose}.`,
  EISDIR: (choose) => `A folder is where a file is needed: ${choose}.`,
  ENOENT: () => 'Check that it is still there.',
  ENAMETOOLONG: () => 'Choose a shorter name.',
  EMFILE: () => 'Too many files are open: raise the limit (ulimit -n).',
  ENFILE: () => 'Too many files are open on this machine.',
  EIO: () => 'The disk reports a fault.',
};

/**
 * What to do about an error of the system; null for any other error.
 *
 * @param choose - how to use another place, for example `choose another --out`
 */
export function systemCure(error: unknown, choose = 'choose another place'): string | null {
  const { code, syscall } = toError(error) as NodeJS.ErrnoException;
  if (typeof code !== 'string' || syscall === undefined) return null;
  if (code === 'ENOENT' && syscall === 'mkdir') return `No folder can be made there: ${choose}.`;
  return Object.hasOwn(CURES, code) ? CURES[code]!(choose) : null;
}

/** The end of a message about a file or a folder: what the system says, and what to do. `choose` as in {@link systemCure}. */
export const systemRefused = (error: unknown, choose = 'choose another place'): string =>
  `the system refused (${messageOf(error)}). ${systemCure(error, choose) ?? `${choose[0]!.toUpperCase()}${choose.slice(1)}.`}`;

/** A file as messages name it: relative to the working directory when it lies below, else absolute. */
export function displayPath(file: string): string {
  const short = relative(process.cwd(), file);
  return short === '' || short.startsWith('..') || isAbsolute(short) ? file : short.replaceAll('\\', '/');
}

/** A value as messages show it, in one line of 60 characters at most. */
export function displayValue(value: unknown): string {
  const text =
    typeof value === 'function'
      ? 'a function'
      : typeof value === 'number' || value === undefined
        ? String(value)
        : asJson(value);
  return text.length > 60 ? `${text.slice(0, 57)}…` : text;
}

/** Of what has no JSON, such as 5n or an object that contains itself, what it is. */
function asJson(value: unknown): string {
  try {
    return JSON.stringify(value) ?? String(value);
  } catch {
    return typeof value === 'bigint' ? `${value}n` : 'an object that has no JSON';
  }
}

/** An op of TensorFlow.js needs a tensor of another rank. */
export const rankDiffers = (rank: number, shape: readonly number[] | undefined): TailmixError =>
  new TailmixError(`expected a tensor of rank ${rank}, got ${shape ? `[${shape.join(', ')}]` : 'none'}.`, {
    code: 'TENSOR_RANK',
  });
