import { readdir } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { nameOf } from '../config/entries.ts';
import { mergeLayers } from '../config/inherit.ts';
import { type Found, namesBelow, optionsAt, pathOf, valuesOf } from '../config/option-tree.ts';
import { parseSetting, stem } from '../config/overrides.ts';
import type { Described } from '../config/shape.ts';
import { isMap, mergeTrees, type Path, type Tree, valueAt } from '../config/tree.ts';
import { datasetNames } from '../data/options.ts';
import { listRuns, withoutTime } from '../tracking/run-directory.ts';
import { context } from './context.ts';
import { print } from './output.ts';
import type { Completes } from './program/completion.ts';

/** A word that may come next, and what it means. */
interface Candidate {
  word: string;
  meaning?: string;
}

/**
 * `tailmix complete KIND WORD [WORDS…]`, which the scripts of `tailmix completion` call: what a word may become, one a line, with its
 * meaning after a tab. Says nothing where anything is amiss: whoever types is not to be disturbed.
 *
 * @param args - the kind, the word as far as it is written, and the words before it.
 */
export async function complete([kind, word = '', ...before]: readonly string[]): Promise<number> {
  const found = await kinds[kind as Completes]?.(word, before).catch(() => []);
  const fitting = (found ?? []).filter((one) => one.word.startsWith(word));
  for (const one of fitting) print(one.meaning ? `${one.word}\t${one.meaning.replaceAll(/\s+/g, ' ')}` : one.word);
  return 0;
}

const plain = (words: readonly string[]): Candidate[] => words.map((word) => ({ word }));

const kinds: Readonly<Record<Completes, (word: string, before: readonly string[]) => Promise<Candidate[]>>> = {
  setting,
  run: async (word) => [...(await runNames()), ...(await entries(word, () => false))],
  checkpoint: async (word) => [...plain(['last', 'best']), ...(await entries(word, () => true))],
  config: (word) => entries(word, isConfig),
  data: async (word) => [...plain(datasetNames), ...(await entries(word, isConfig))],
  plugin: async () => {
    const { schema } = await shipped();
    return named('', namesBelow(schema, optionsAt(schema, ['plugins'])));
  },
  topic: async (word) => (/^[A-Z]/.test(word) ? plain(await errorCodes()) : options(word, {})),
  folder: (word) => entries(word, () => false),
};

const named = (prefix: string, names: ReadonlyMap<string, string>, suffix = ''): Candidate[] =>
  [...names].map(([name, meaning]) => ({ word: `${prefix}${name}${suffix}`, meaning }));

async function shipped(): Promise<{ schema: Described }> {
  const { shippedSchema } = await import('./explain.ts');
  return { schema: await shippedSchema() };
}

async function errorCodes(): Promise<string[]> {
  const { explainedCodes } = await import('./explain.ts');
  return [...(await explainedCodes()).keys()];
}

/** Values of `--set`: a path key by key, then what the option may be. */
async function setting(word: string, before: readonly string[]): Promise<Candidate[]> {
  const config = await configOf(before);
  const equals = word.indexOf('=');
  if (equals < 0) return options(word, config, true);
  const { schema } = await shipped();
  const at = optionsAt(schema, pathOf(word.slice(0, equals)), config);
  const standard = at.map(({ described }) => described.default).filter((value) => value !== undefined && !isMap(value));
  const values = [
    ...valuesOf(at),
    ...standard.map((value) => (typeof value === 'string' ? value : JSON.stringify(value))),
  ];
  return plain([...new Set(values)].map((value) => `${word.slice(0, equals)}=${value}`));
}

/** Options below a path that is written in part; with `isSet`, those that hold others end in a dot, the rest in `=`. */
async function options(word: string, config: unknown, isSet = false): Promise<Candidate[]> {
  const { schema } = await shipped();
  const prefix = word.slice(0, word.lastIndexOf('.') + 1);
  const path = pathOf(prefix.slice(0, -1));
  const at: Found[] = prefix === '' ? [{ described: schema, choice: null }] : optionsAt(schema, path, config);
  const names = namesBelow(schema, at, valueAt(config, path));
  for (const key of isSet ? ['$schema', 'extends', 'use'] : []) names.delete(key);
  const used = isSet ? usedPlugins(config, path) : null;
  for (const name of used === null ? [] : [...names.keys()]) if (!used!.has(name)) names.delete(name);
  for (const name of used ?? []) if (!names.has(name)) names.set(name, '');
  return [...names].map(([name, meaning]) => {
    const inside = optionsAt(schema, [...path, name], config);
    const holds = isSet && (used !== null || namesBelow(schema, inside).size > 0);
    return { word: `${prefix}${name}${isSet ? (holds ? '.' : '=') : ''}`, meaning };
  });
}

/** What `plugins` of a config uses, and what every run has: only that can be set. Null for another path, or where none is known. */
function usedPlugins(config: unknown, path: Path): Set<string> | null {
  const list = valueAt(config, path);
  if (path.at(-1) !== 'plugins' || !Array.isArray(list)) return null;
  const names = [...list, ...(path.length === 1 ? context.defaults : [])].map((entry) => stem(nameOf(entry)));
  return new Set(names.filter((name) => name !== undefined));
}

/** What the config files and settings on the command line say; of several files and of `extends`, all together. */
async function configOf(before: readonly string[]): Promise<Tree> {
  const [{ readLayers }, { findConfig }] = await Promise.all([
    import('../config/extends.ts'),
    import('../config/search.ts'),
  ]);
  const named = before.filter(isConfig).map((file) => resolve(file));
  const files = named.length > 0 ? named : [await findConfig().catch(() => '')];
  // A script would have to be run.
  const layers = await Promise.all(
    files.filter((file) => /\.(ya?ml|json)$/.test(file)).map((file) => readLayers(file, {}).catch(() => [])),
  );
  const trees = [mergeLayers(layers.flat(), context.defaults).tree];
  const settings = before.filter((_, i) => before[i - 1] === '--set').map(parseSetting);
  for (const one of settings) {
    if (!('value' in one)) continue;
    trees.push(one.path.reduceRight<unknown>((value, key) => ({ [key]: value }), one.value) as Tree);
  }
  return trees.reduce<Tree>((base, tree) => mergeTrees(base, tree), {});
}

const isConfig = (name: string): boolean => /\.([cm]?[jt]s|ya?ml|json)$/.test(name);

/** Folders, and the files that fit, in the folder of a word. */
async function entries(word: string, fits: (name: string) => boolean): Promise<Candidate[]> {
  const folder = word.endsWith('/') ? word : join(dirname(word), '/');
  const prefix = word.includes('/') ? word.slice(0, word.lastIndexOf('/') + 1) : '';
  const found = await readdir(folder, { withFileTypes: true });
  return found
    .filter((entry) => !entry.name.startsWith('.') && entry.name !== 'node_modules')
    .filter((entry) => entry.isDirectory() || fits(entry.name))
    .map((entry) => ({ word: `${prefix}${entry.name}${entry.isDirectory() ? '/' : ''}` }));
}

/** Names of the runs in `runs`, the newest first, each also without its time, which means the newest. */
async function runNames(): Promise<Candidate[]> {
  const names = (await listRuns('runs')).map((run) => basename(run));
  return plain([...new Set([...names.map(withoutTime), ...names])]);
}
