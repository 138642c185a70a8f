import { messageOf, TailmixError } from '../errors.ts';
import { commandStart } from '../util/command-start.ts';
import { shellWord } from '../util/shell-word.ts';

/** One thing that is wrong in a config. */
export interface Problem {
  /** `configs/run.yaml:12`, `--set model.width=x`; null for a programmatic config. */
  where: string | null;
  /** For example `plugins[1].kappa`; empty for the whole. */
  path: string;
  message: string;
}

const heading = ({ where, path }: Problem): string =>
  [where, path].filter((part) => part !== null && part !== '').join('  ') || 'config';

/** Everything that is wrong in a config, in one report. */
export const configInvalid = (problems: readonly Problem[]): TailmixError =>
  new TailmixError(
    problems.map((problem) => `${heading(problem)}\n  ${problem.message.replaceAll('\n', '\n  ')}`).join('\n\n'),
    { code: 'CONFIG_INVALID', kind: 'config', path: heading(problems[0]!) },
  );

const config = (code: string, message: string, cause?: unknown): TailmixError =>
  new TailmixError(message, { code, kind: 'config', ...(cause === undefined ? {} : { cause }) });

/** No path was given, and none of the places that are searched holds a config. */
export const configNotFound = (from: string, places: readonly string[]): TailmixError =>
  config(
    'CONFIG_NOT_FOUND',
    `${from}: expected a config, found none of ${places.join(', ')}.\n  Name one (\`tailmix train my-run.yaml\`), or make one with \`tailmix init\`.`,
  );

/** A config that was named does not exist. */
export const configMissing = (path: string): TailmixError =>
  config('CONFIG_MISSING', `${path}: expected a config file; there is none.`);

/** A folder where a config file is expected. */
export const configFolder = (path: string, cause: unknown): TailmixError =>
  config(
    'CONFIG_UNREADABLE',
    `${path}: expected a config file, got a folder. Name a file in it; for a folder of images, \`${commandStart()} init ${shellWord(path)}\` writes one.`,
    cause,
  );

/** A config that is there and cannot be read. */
export function configUnreadable(path: string, cause: unknown): TailmixError {
  const { code } = cause as NodeJS.ErrnoException;
  if (code === 'ENOENT' || code === 'ENOTDIR') return configMissing(path);
  if (code === 'EISDIR') return configFolder(path, cause);
  const got = `a file that cannot be read (${code ?? messageOf(cause)})`;
  return config('CONFIG_UNREADABLE', `${path}: expected a config file, got ${got}.`, cause);
}

/** A device where a config file is expected. */
export const configDevice = (path: string): TailmixError =>
  config('CONFIG_UNREADABLE', `${path}: expected a config file, got a device. Name a file.`);

/** A config that is larger than any that was written by hand. */
export const configTooLarge = (path: string, most: number): TailmixError =>
  config(
    'CONFIG_UNREADABLE',
    `${path}: expected a config of at most ${most / 2 ** 20} MiB; it is larger. Take out what is no option.`,
  );

/** A config in another encoding than UTF-8. */
export const configEncoding = (path: string, got: string): TailmixError =>
  config('CONFIG_ENCODING', `${path}: expected text in UTF-8, got ${got}. Save it as UTF-8.`);

/** A YAML file of several documents. */
export const configDocuments = (where: string, count: number): TailmixError =>
  config(
    'CONFIG_DOCUMENTS',
    `${where}: expected one document, got ${count}, parted by ---. Keep each run in a file of its own; \`extends\` layers files.`,
  );

/** A value of a script that contains itself. */
export const configCycle = (where: string): TailmixError =>
  config('CONFIG_CYCLE', `${where}: expected a value that ends; it contains itself.`);

/** A config was expected, and a sweep of several came. */
export const configIsSweep = (path: string): TailmixError =>
  config(
    'CONFIG_IS_SWEEP',
    `${path}: expected the config of one run, got a sweep. Start it with \`tailmix sweep ${path}\`.`,
  );

const OTHER_KEY = 'expected another key: __proto__ has a meaning of its own in JavaScript.';

/** A key that JavaScript keeps for itself. */
export const configProto = (where: string, place: string): TailmixError =>
  config('CONFIG_PROTO', `${where}  ${place}\n  ${OTHER_KEY}`);

/** A config was named whose ending is not known. */
export const configEnding = (path: string): TailmixError =>
  config('CONFIG_ENDING', `${path}: expected a file ending in .yaml, .yml, .json, .ts, .mts, .js, .mjs or .cjs.`);

/** A YAML or JSON file that cannot be parsed; `detail` shows the place. */
export const configSyntax = (path: string, detail: string): TailmixError =>
  config('CONFIG_SYNTAX', `${path}: ${detail}`);

/** An alias inside of what it stands for. */
export const anchorCycle = (where: string, anchor: string): TailmixError =>
  config(
    'CONFIG_ANCHOR_CYCLE',
    `${where}  *${anchor}\n  expected an alias of something that ends before it; &${anchor} holds this alias, and has no end.`,
  );

/** `<<` with something that has no keys. */
export const mergeSource = (where: string): TailmixError =>
  config('CONFIG_MERGE', `${where}  <<\n  expected a map to merge, an alias of one, or a list of these.`);

/** A script that threw while it was loaded. */
export const configScript = (path: string, detail: string, cause: unknown): TailmixError =>
  config('CONFIG_SCRIPT', `${path}: expected a module that loads; it threw: ${detail}`, cause);

/** A file that holds something other than a map. */
export const configNotMap = (path: string, got: string): TailmixError =>
  config('CONFIG_NOT_MAP', `${path}: expected a map of options, got ${got}.`);

/** `extends` names a file that does not exist. */
export const extendsMissing = (where: string, base: string): TailmixError =>
  config('EXTENDS_MISSING', `${where}  extends\n  expected a config relative to this file; there is none at ${base}.`);

/** `extends` leads back to where it started. */
export const extendsCycle = (chain: readonly string[]): TailmixError =>
  config('EXTENDS_CYCLE', `${chain[0]}  extends\n  expected a chain that ends; ${chain.join(' → ')} is a circle.`);

/** `extends` with a path that only a shell would understand. */
export const extendsPlace = (where: string, problem: string): TailmixError =>
  config('EXTENDS_PLACE', `${where}  extends\n  ${problem}`);

/** `extends` is neither a path nor a list of paths. */
export const extendsType = (where: string, got: string): TailmixError =>
  config('EXTENDS_TYPE', `${where}  extends\n  expected a path or a list of paths, got ${got}.`);

/** A setting as it was given; of a long one the beginning. */
const brief = (text: string): string => (text.length > 120 ? `${text.slice(0, 119)}…` : text);

const set = (label: string, message: string): Problem => ({ where: label, path: '', message });

/** A `--set` that is not of the form `a.b=value`. */
export const setSyntax = (got: string): Problem =>
  set(`--set ${brief(got)}`, 'expected path=value, for example --set train.epochs=3 or --set plugins.remix.kappa=4.');

/** A `--set` whose value is not YAML. */
export const setValue = (got: string, detail: string): Problem =>
  set(`--set ${got}`, `expected a YAML value after the equals sign: ${detail}`);

/** A `--set` with a key that JavaScript keeps for itself. */
export const setProto = (got: string, place: string): Problem => set(`--set ${got}  ${place}`, OTHER_KEY);

/** A `--set` below something that is neither a map nor a list. */
export const setThrough = (label: string, path: string, value: string): Problem =>
  set(label, `expected a map or a list at ${path}, which is ${value}.`);

/** A `--set` past the end of a list, or with a name where a list wants an index. */
export const setIndex = (label: string, path: string, length: number): Problem =>
  set(label, `expected an index at ${path}, a list of ${length}: ${path}[0] is its first entry.`);

/** A `--set` of an option of a plugin that the config does not use. */
export const setPlugin = (label: string, name: string, entries: readonly string[], near: string | null): Problem =>
  set(
    label,
    `plugins has no entry "${name}".${near ? ` Did you mean "${near}"?` : ''} Entries: ${entries.join(', ') || 'none'}.`,
  );

/** A `--set path+=value` of what is no list. */
export const setNoList = (label: string, path: string, value: string): Problem =>
  set(label, `expected a list at ${path}, to which ${value} can be added. Without + the value takes its place.`);

/** Problems beyond the first that are reported. */
export const moreProblems = (count: number): Problem => ({
  where: null,
  path: '',
  message: `and ${count} more problems of this kind.`,
});

/** A run whose own code was kept by someone else, or elsewhere, or not at all. */
export const runNotTrusted = (directory: string, place: string): TailmixError =>
  new TailmixError(
    `${directory}: expected a run that you have trained on this machine; ${place} of it would be executed, and what is kept with the run does not say that it is yours. Read it, then give --trust.`,
    { code: 'RUN_NOT_TRUSTED', kind: 'config' },
  );
