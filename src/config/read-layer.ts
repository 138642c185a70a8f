import { readFile } from 'node:fs/promises';
import { basename, extname } from 'node:path';
import { isNode, isPair, isScalar, isSeq, isMap as isYamlMap, LineCounter, parseDocument } from 'yaml';
import { messageOf } from '../errors.ts';
import { displayPath, displayValue } from './display.ts';
import { configEnding, configMissing, configNotMap, configScript, configSyntax } from './errors.ts';
import { importModule, reasonOf } from './import-module.ts';
import { isMap, type Path, type Tree } from './tree.ts';
import type { PluginRegistry } from './types.ts';

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
 * @param file absolute.
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

/** YAML 1.2, of which JSON is a part; a repeated key is an error that shows the place. */
function parseYaml(text: string, shown: string): { value: unknown; lineOf: Layer['lineOf'] } {
  const lineCounter = new LineCounter();
  const document = parseDocument(text, { lineCounter });
  const problem = document.errors[0] ?? document.warnings[0];
  if (problem) throw configSyntax(shown, problem.message.trimEnd());
  let value: unknown;
  try {
    value = document.toJS();
  } catch (error) {
    throw configSyntax(shown, messageOf(error));
  }
  const lineOf = (path: Path): number | null => {
    let node: unknown = document.contents;
    let start: number | undefined;
    for (const key of path) {
      let next: unknown;
      if (isYamlMap(node)) {
        const pair = node.items.find((item) => isPair(item) && isScalar(item.key) && String(item.key.value) === key);
        start = isNode(pair?.key) ? pair.key.range?.[0] : undefined;
        next = pair?.value;
      } else if (isSeq(node)) {
        next = node.items[key as number];
        start = isNode(next) ? next.range?.[0] : undefined;
      }
      if (start === undefined || next === undefined) return null;
      node = next;
    }
    return start === undefined ? null : lineCounter.linePos(start).line;
  };
  return { value, lineOf };
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
