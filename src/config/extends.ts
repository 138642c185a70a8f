import { existsSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { displayPath, displayValue } from '../errors.ts';
import { substituteText } from '../util/placeholders.ts';
import { extendsCycle, extendsMissing, extendsPlace, extendsType } from './errors.ts';
import { placeOf } from './layers.ts';
import { problemOfPlace } from './places.ts';
import { type Layer, readLayer } from './read-layer.ts';
import type { PluginRegistry } from './types.ts';

/**
 * A config file and everything that it extends, the file itself last: later layers win.
 *
 * @param file - absolute.
 */
export async function readLayers(
  file: string,
  registry: PluginRegistry,
  chain: readonly string[] = [],
  known: Map<string, Layer[]> = new Map(),
): Promise<Layer[]> {
  if (chain.includes(file)) throw extendsCycle([...chain.slice(chain.indexOf(file)), file].map(displayPath));
  const before = known.get(file);
  if (before !== undefined) return before;
  const layer = await readLayer(file, registry);
  const { extends: bases, $schema: _, ...tree } = layer.tree;
  const where = placeOf(layer, ['extends']);
  const layers: Layer[] = [];
  for (const base of listOf(bases, where)) {
    const path = resolve(dirname(file), base);
    if (!existsSync(path)) throw extendsMissing(where, displayPath(path));
    layers.push(...(await readLayers(path, registry, [...chain, file], known)));
  }
  const all = lastOfEach([...layers, { ...layer, tree }]);
  known.set(file, all);
  return all;
}

/** Of a file that several extend, its last place is the one that counts: it sets there all that it set before. */
const lastOfEach = (layers: readonly Layer[]): Layer[] =>
  [...new Map(layers.toReversed().map((layer) => [layer.file, layer])).values()].toReversed();

function listOf(bases: unknown, where: string): string[] {
  const list = bases === undefined || bases === null ? [] : Array.isArray(bases) ? bases : [bases];
  if (!list.every((base): base is string => typeof base === 'string' && base !== '')) {
    throw extendsType(where, displayValue(bases));
  }
  const problem = list.map(problemOfPlace).find((found) => found !== null);
  if (problem) throw extendsPlace(where, problem);
  return list.map((base) => substituteText(base).value);
}
