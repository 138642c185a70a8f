import { readFile } from 'node:fs/promises';
import { basename, extname } from 'node:path';
import { displayPath, displayValue, messageOf } from '../errors.ts';
import { configEnding, configMissing, configNotMap, configScript, configSyntax } from './errors.ts';
import { importModule, reasonOf } from './import-module.ts';
import { isMap, type Path, type Tree } from './tree.ts';
import type { PluginRegistry } from './types.ts';
import { parseYaml } from './yaml.ts';

/** One config file as written. */
export interface Layer {
  /** Absolute. */
  file: string;
  tree: Tree;
  /** Line of a value, from 1; null where it is not known. */
  lineOf(path: Path): number | null;
}

/** Key of `package.json` that holds a config. */
const PACKAGE_KEY = 'tailmix';

const SCRIPTS = ['.ts', '.mts', '.cts', '.js', '.mjs', '.cjs'];

/**
 * Reads one config file, by its ending: YAML, JSON (of `package.json` the key `tailmix`), or a script's default export.
 *
 * @param file - absolute.
 */
export async function readLayer(file: string, registry: PluginRegistry): Promise<Layer> {
  const shown = displayPath(file);
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch {
    throw configMissing(shown);
  }
  const ending = extname(file);
  if (SCRIPTS.includes(ending)) return { file, tree: await readScript(file, shown, registry), lineOf: () => null };
  if (ending === '.json') checkJson(text, shown);
  else if (!['.yaml', '.yml', ''].includes(ending)) throw configEnding(shown);
  const prefix = basename(file) === 'package.json' ? [PACKAGE_KEY] : [];
  const { value, lineOf } = parseYaml(text, shown);
  const own = prefix.reduce<unknown>((map, key) => (isMap(map) ? map[key] : undefined), value);
  return { file, tree: asMap(own ?? {}, shown), lineOf: (path) => lineOf([...prefix, ...path]) };
}

function asMap(value: unknown, shown: string): Tree {
  if (!isMap(value)) throw configNotMap(shown, Array.isArray(value) ? 'a list' : displayValue(value));
  return value;
}

function checkJson(text: string, shown: string): void {
  try {
    JSON.parse(text);
  } catch (error) {
    throw configSyntax(shown, `expected JSON, which has no comments and no trailing commas: ${messageOf(error)}`);
  }
}

async function readScript(file: string, shown: string, registry: PluginRegistry): Promise<Tree> {
  let module: { default?: unknown };
  try {
    module = await importModule(file, file, registry);
  } catch (error) {
    throw configScript(shown, reasonOf(error), error);
  }
  if (!('default' in module)) throw configNotMap(`${shown}: export default`, 'nothing');
  return asMap(module.default, `${shown}: export default`);
}
