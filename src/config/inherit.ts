import { displayValue } from '../errors.ts';
import { isPlugin } from '../plugin.ts';
import { suggest } from '../util/suggest.ts';
import { nameOf } from './entries.ts';
import type { Problem } from './errors.ts';
import { placeOf } from './layers.ts';
import { stem } from './overrides.ts';
import type { Layer } from './read-layer.ts';
import { formatPath, isMap, mergeTrees, type Path, type Tree, valueAt } from './tree.ts';
import type { PluginEntry } from './types.ts';

/** A plugin entry, and where the parts of it were written. */
interface Inherited {
  entry: unknown;
  parts: readonly { layer: Layer; at: Path }[];
}

/**
 * The layers of a config, merged: later ones win. `plugins` of a layer is a list, which replaces, or a map that changes single
 * entries of the layers before: `NAME: { option: value }` merges, `NAME: null` takes the plugin out, `$append` and `$prepend`
 * add entries.
 *
 * @param defaults - plugins that run unasked: they can be named too
 * @returns the config, its layers as places of the list that it comes to, and what did not fit
 */
export function mergeLayers(
  layers: readonly Layer[],
  defaults: readonly PluginEntry[],
): { tree: Tree; layers: readonly Layer[]; problems: Problem[] } {
  if (!layers.some(({ tree }) => isMap(tree.plugins))) {
    return { tree: layers.reduce<Tree>((base, { tree }) => mergeTrees(base, tree), {}), layers, problems: [] };
  }
  const problems: Problem[] = [];
  let entries: readonly Inherited[] = [];
  for (const layer of layers) {
    const { plugins } = layer.tree;
    if (Array.isArray(plugins)) entries = entriesOf(plugins, layer, ['plugins']);
    else if (isMap(plugins)) entries = changed(entries, { layer, map: plugins, defaults, problems });
    else if (plugins === null) entries = [];
  }
  const placed = layers.map((layer) => placedIn(layer, entries));
  const others = layers.map(({ tree: { plugins: _, ...rest } }) => rest);
  const tree = others.reduce<Tree>((base, over) => mergeTrees(base, over), {});
  return { tree: { ...tree, plugins: entries.map(({ entry }) => entry) }, layers: placed, problems };
}

const entriesOf = (list: readonly unknown[], layer: Layer, at: Path): Inherited[] =>
  list.map((entry, i) => ({ entry, parts: [{ layer, at: [...at, i] }] }));

interface Changing {
  layer: Layer;
  map: Tree;
  defaults: readonly PluginEntry[];
  problems: Problem[];
}

/** The entries as a layer's map changes them; what does not fit is a problem, and changes none. */
function changed(before: readonly Inherited[], { layer, map, defaults, problems }: Changing): readonly Inherited[] {
  const standard = defaults.map(nameOf);
  let entries = before;
  for (const [name, change] of Object.entries(map)) {
    const at = ['plugins', name];
    const refusal = refusalOf(name, change, entries, standard);
    if (refusal !== null) {
      const path = [...at, ...refusal.below];
      problems.push({ where: placeOf(layer, path), path: formatPath(path), message: refusal.message });
    } else if (name === '$append') entries = [...entries, ...entriesOf(change as unknown[], layer, at)];
    else if (name === '$prepend') entries = [...entriesOf(change as unknown[], layer, at), ...entries];
    else entries = withChange(entries, change as Tree | null, { layer, at, name, isStandard: standard.includes(name) });
  }
  return entries;
}

/**
 * Why a key of a map of plugins and its value are no change; null where they are one.
 *
 * @returns the message, and the path of what it is about, from the key's value
 */
function refusalOf(
  name: string,
  change: unknown,
  entries: readonly Inherited[],
  standard: readonly (string | null)[],
): { below: Path; message: string } | null {
  const refusal = (message: string, below: Path = []) => ({ below, message });
  if (name === '$append' || name === '$prepend') {
    return Array.isArray(change) ? null : refusal(`expected a list of plugins, got ${displayValue(change)}.`);
  }
  if (name.startsWith('$')) {
    return refusal(`expected $prepend or $append or the name of a plugin, got ${displayValue(name)}.`);
  }
  if (change !== null && !isMap(change)) {
    return refusal(`expected options to change, or null to take the plugin out, got ${displayValue(change)}.`);
  }
  if (change !== null && 'use' in change) {
    return refusal('expected options only. Take the plugin out (null), and add the other by $append.', ['use']);
  }
  if (indexOf(entries, name) >= 0 || standard.includes(name)) return null;
  const known = entries.flatMap(({ entry }) => nameOf(entry) ?? []);
  const near = suggest(name, known);
  return refusal(
    `no plugin "${name}" is inherited.${near ? ` Did you mean "${near}"?` : ''} Inherited: ${known.join(', ') || 'none'}. ` +
      '$append adds one.',
  );
}

const indexOf = (entries: readonly Inherited[], name: string): number =>
  entries.findIndex(({ entry }) => nameOf(entry) === name || stem(nameOf(entry)) === name);

/** The entries with other options of one of them, or without it; one that runs unasked gets its entry here. */
function withChange(
  entries: readonly Inherited[],
  change: Tree | null,
  { layer, at, name, isStandard }: { layer: Layer; at: Path; name: string; isStandard: boolean },
): readonly Inherited[] {
  const index = indexOf(entries, name);
  const found: Inherited = entries[index] ?? { entry: { use: name }, parts: [] };
  // One that runs unasked would come back without its entry.
  const next = change ?? (isStandard ? { enabled: false } : null);
  const replaced =
    next === null ? [] : [{ entry: withOptions(found.entry, next), parts: [...found.parts, { layer, at }] }];
  return index < 0 ? [...entries, ...replaced] : entries.toSpliced(index, 1, ...replaced);
}

function withOptions(entry: unknown, change: Tree): unknown {
  if (isPlugin(entry)) return { ...entry, options: mergeTrees(entry.options, change), changed: true };
  return mergeTrees(entry as Tree, change);
}

/** A layer with what it has of each entry at the place that the entry has in the end. */
function placedIn(layer: Layer, entries: readonly Inherited[]): Layer {
  const places = new Map<number, Path>();
  for (const [i, { parts }] of entries.entries()) {
    const own = parts.findLast((part) => part.layer === layer);
    if (own) places.set(i, own.at);
  }
  const { plugins: _, ...rest } = layer.tree;
  const plugins = Object.fromEntries([...places].map(([i, at]) => [i, valueAt(layer.tree, at)]));
  return {
    ...layer,
    tree: places.size > 0 ? { ...rest, plugins } : rest,
    lineOf(path) {
      const at = path[0] === 'plugins' && typeof path[1] === 'number' ? places.get(path[1]) : undefined;
      return layer.lineOf(at ? [...at, ...path.slice(2)] : path);
    },
  };
}
