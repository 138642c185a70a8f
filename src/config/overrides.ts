import { parse } from 'yaml';
import { displayValue, messageOf } from '../errors.ts';
import { isModelChoice, type ModelChoice } from '../models/definition.ts';
import { isPlugin, type Plugin } from '../plugin.ts';
import { suggest } from '../util/suggest.ts';
import { nameOf } from './entries.ts';
import { type Problem, setIndex, setNoList, setPlugin, setProto, setSyntax, setThrough, setValue } from './errors.ts';
import { findProto, formatPath, isMap, mapLeaves, nameTagged, parsePath, type Tree, valueAt } from './tree.ts';
import type { PluginEntry } from './types.ts';

/** A value that the command line puts over those of the files. */
export interface Override {
  /** As messages name it: `--set train.epochs=3`, `--seed 4`. */
  label: string;
  path: (string | number)[];
  value: unknown;
  /** Added to the list there, in the place of taking its place: `plugins+={ use: drw }`. */
  append?: true;
}

/** Reads `a.b=value`; the value is YAML, and null or nothing takes the option back to its default. `a.b+=value` adds to a list. */
export function parseSetting(text: string): Override | Problem {
  const equals = text.indexOf('=');
  const append = equals > 1 && text[equals - 1] === '+';
  const path = equals > 0 ? parsePath(text.slice(0, append ? equals - 1 : equals)) : null;
  if (!path) return setSyntax(text);
  try {
    const value: unknown = parse(text.slice(equals + 1));
    const proto = findProto(value);
    if (proto !== null) return setProto(text, formatPath([...path, ...proto]));
    return { label: `--set ${text}`, path, value, ...(append && { append }) };
  } catch (error) {
    return setValue(text, messageOf(error).replace(/ at line [\s\S]*/, '.'));
  }
}

/**
 * Puts overrides over a config, in order. `plugins.NAME.option` and `phases[1].plugins.NAME.option` find the entry by its
 * name; a default that the config does not list gets an entry.
 *
 * @returns the new config, where each value came from, and what did not fit.
 */
export function applyOverrides(
  tree: Tree,
  overrides: readonly Override[],
  defaults: readonly PluginEntry[],
): { tree: Tree; labels: Map<string, string>; problems: Problem[] } {
  const copy = copyOf(tree) as Tree;
  const labels = new Map<string, string>();
  const problems: Problem[] = [];
  for (const override of overrides) {
    const found = findEntry(copy, override, defaults);
    const path = override.append && Array.isArray(found) ? endOf(copy, found, override) : found;
    const problem = Array.isArray(path) ? put(copy, path, override) : path;
    if (problem) problems.push(problem);
    else labels.set(formatPath(path as (string | number)[]), override.label);
  }
  nameTagged(copy);
  return { tree: copy, labels, problems };
}

/** `plugins.remix.kappa` as `plugins[1].kappa`, of the run or of a phase; any other path as it is. */
function findEntry(
  tree: Tree,
  { path, label }: Override,
  standard: readonly PluginEntry[],
): (string | number)[] | Problem {
  const start = path[0] === 'phases' ? path.slice(0, 2) : [];
  const owner = valueAt(tree, start);
  const [list, name, ...rest] = path.slice(start.length);
  if (list !== 'plugins' || typeof name !== 'string' || !isMap(owner)) return path;
  const defaults = start.length === 0 ? standard : [];
  const entries = Array.isArray(owner.plugins) ? (owner.plugins as unknown[]) : [];
  const names = entries.map((entry) => nameOf(entry));
  let index = names.findIndex((own) => own === name || stem(own) === name);
  if (index < 0 && defaults.some((entry) => nameOf(entry) === name)) {
    index = entries.length;
    owner.plugins = [...entries, { use: name }];
  }
  if (index < 0) {
    const known = [...names, ...defaults.map(nameOf)].filter((own) => own !== null);
    return setPlugin(label, name, known, suggest(name, known));
  }
  return [...start, 'plugins', index, ...rest];
}

/** The place behind the end of a list; a list that is not there is made. */
function endOf(tree: Tree, path: (string | number)[], { label, value }: Override): (string | number)[] | Problem {
  const list = valueAt(tree, path);
  if (list === undefined || list === null) {
    const made = put(tree, path, { label, path, value: [] });
    return made ?? [...path, 0];
  }
  return Array.isArray(list) ? [...path, list.length] : setNoList(label, formatPath(path), displayValue(value));
}

/** What a call made, a plugin or a model. Its options were checked there. */
type Made = (Plugin | ModelChoice) & { /** Something was set: options are to be checked again. */ changed?: true };
const isMade = (value: unknown): value is Made => isPlugin(value) || isModelChoice(value);

const copyOf = (tree: unknown): unknown =>
  mapLeaves(tree, (leaf) => (isMade(leaf) ? { ...leaf, options: copyOf(leaf.options) } : leaf));

/** `./plugins/my-plugin.ts` as `my-plugin`. */
export const stem = (use: string | null): string | undefined =>
  use
    ?.split('/')
    .at(-1)
    ?.replace(/\.[cm]?[jt]s$/, '');

function put(tree: Tree, path: readonly (string | number)[], { label, value }: Override): Problem | null {
  let at: unknown = tree;
  for (let i = 0; i < path.length; i++) {
    const key = path[i]!;
    const isLast = i === path.length - 1;
    const where = formatPath(path.slice(0, i));
    if (isMade(at)) {
      at.changed = true;
      at = at.options;
    }
    if (Array.isArray(at)) {
      if (typeof key !== 'number' || key > at.length) return setIndex(label, where, at.length);
      if (isLast) at[key] = value;
      else at[key] ??= {};
      at = at[key];
    } else if (typeof at === 'object' && at !== null) {
      const map = at as Tree;
      // A map's own options only: `constructor` is none.
      const own = Object.hasOwn(map, key) ? map[key] : undefined;
      if (isLast && value === null) delete map[key];
      else if (isLast) map[key] = isMap(value) ? { ...value } : value;
      else if (own === undefined || own === null) map[key] = {};
      at = map[key];
    } else return setThrough(label, where, displayValue(at));
  }
  return null;
}
