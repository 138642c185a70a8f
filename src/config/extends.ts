import { existsSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { displayPath, displayValue } from '../errors.ts';
import { substituteText } from '../util/placeholders.ts';
import { extendsCycle, extendsMissing, extendsType } from './errors.ts';
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
): Promise<Layer[]> {
  if (chain.includes(file)) throw extendsCycle([...chain.slice(chain.indexOf(file)), file].map(displayPath));
  const layer = await readLayer(file, registry);
  const { extends: bases, $schema: _, ...tree } = layer.tree;
  const line = layer.lineOf(['extends']);
  const where = line === null ? displayPath(file) : `${displayPath(file)}:${line}`;
  const layers: Layer[] = [];
  for (const base of listOf(bases, where)) {
    const path = resolve(dirname(file), base);
    if (!existsSync(path)) throw extendsMissing(where, displayPath(path));
    layers.push(...(await readLayers(path, registry, [...chain, file])));
  }
  return [...layers, { ...layer, tree }];
}

function listOf(bases: unknown, where: string): string[] {
  const list = bases === undefined || bases === null ? [] : Array.isArray(bases) ? bases : [bases];
  if (!list.every((base): base is string => typeof base === 'string' && base !== '')) {
    throw extendsType(where, displayValue(bases));
  }
  return list.map((base) => substituteText(base).value);
}
