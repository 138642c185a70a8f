import { open } from 'node:fs/promises';
import { basename, extname } from 'node:path';
import { displayPath, displayValue, messageOf, TailmixError } from '../errors.ts';
import {
  configCycle,
  configDevice,
  configEncoding,
  configEnding,
  configNotMap,
  configProto,
  configScript,
  configSyntax,
  configTooLarge,
  configUnreadable,
} from './errors.ts';
import { importModule, reasonOf } from './import-module.ts';
import { placeOf } from './layers.ts';
import { findProto, formatPath, holdsItself, isMap, type Path, type Tree } from './tree.ts';
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

/** In bytes. */
const LARGEST = 2 ** 24;

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
    text = decode(await bytesOf(file, shown), shown);
  } catch (error) {
    throw error instanceof TailmixError ? error : configUnreadable(shown, error);
  }
  const ending = extname(file);
  if (SCRIPTS.includes(ending)) {
    const layer = { file, tree: await readScript(file, shown, registry), lineOf: () => null };
    return withoutProto(layer);
  }
  if (ending === '.json') checkJson(text, shown);
  else if (!['.yaml', '.yml', ''].includes(ending)) throw configEnding(shown);
  const prefix = basename(file) === 'package.json' ? [PACKAGE_KEY] : [];
  const { value, lineOf } = parseYaml(text, shown);
  const own = prefix.reduce<unknown>((map, key) => (isMap(map) ? map[key] : undefined), value);
  return withoutProto({ file, tree: asMap(own ?? {}, shown), lineOf: (path) => lineOf([...prefix, ...path]) });
}

/** @throws {TailmixError} CONFIG_PROTO */
function withoutProto(layer: Layer): Layer {
  const place = findProto(layer.tree);
  if (place === null) return layer;
  throw configProto(placeOf(layer, place), formatPath(place));
}

/** Of a file or a pipe: a device has no end. */
async function bytesOf(file: string, shown: string): Promise<Uint8Array> {
  const handle = await open(file);
  try {
    const found = await handle.stat();
    if (found.isCharacterDevice() || found.isBlockDevice()) throw configDevice(shown);
    const chunks: Buffer[] = [];
    let size = 0;
    for await (const chunk of handle.createReadStream({ autoClose: false })) {
      size += (chunk as Buffer).length;
      if (size > LARGEST) throw configTooLarge(shown, LARGEST);
      chunks.push(chunk as Buffer);
    }
    return Buffer.concat(chunks);
  } finally {
    await handle.close();
  }
}

/** A byte order mark of UTF-8 is no part of the text. */
function decode(bytes: Uint8Array, shown: string): string {
  const [first, second] = bytes;
  if ((first === 0xff && second === 0xfe) || (first === 0xfe && second === 0xff)) throw configEncoding(shown, 'UTF-16');
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw configEncoding(shown, 'other bytes, perhaps Latin-1');
  }
  if (text.includes('\0')) throw configEncoding(shown, 'zero bytes, perhaps UTF-16');
  return text;
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
  const tree = asMap(module.default, `${shown}: export default`);
  if (holdsItself(tree)) throw configCycle(`${shown}: export default`);
  return tree;
}
