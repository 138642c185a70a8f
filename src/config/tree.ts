/** A place in a config: keys of maps and indices of lists. */
export type Path = readonly (string | number)[];

/** A map as YAML, JSON or an object literal gives it. */
export type Tree = Record<string, unknown>;

/** True for maps; false for lists, scalars, functions, instances, and for plugins made by a call. */
export function isMap(value: unknown): value is Tree {
  if (typeof value !== 'object' || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return (prototype === Object.prototype || prototype === null) && !('definition' in value);
}

/** `['plugins', 1, 'kappa']` as `plugins[1].kappa`. */
export const formatPath = (path: Path): string =>
  path.reduce<string>(
    (text, key) => (typeof key === 'number' ? `${text}[${key}]` : text === '' ? key : `${text}.${key}`),
    '',
  );

/** Longer paths name nothing. */
const LONGEST = 1000;

/** Reads `a.b[1].c` (also `a.b.1.c`); null where it is not of that form, or longer than any. */
export function parsePath(text: string): (string | number)[] | null {
  if (text.length > LONGEST) return null;
  const keys: (string | number)[] = [];
  for (const part of text.split('.')) {
    const match = /^([^[\]\s]+)((?:\[\d+\])*)$/.exec(part);
    if (!match || match[1] === '__proto__') return null;
    keys.push(/^\d+$/.test(match[1]!) ? Number(match[1]) : match[1]!);
    for (const [, index] of match[2]!.matchAll(/\[(\d+)\]/g)) keys.push(Number(index));
  }
  return keys;
}

/** The value at a path; undefined where there is none. */
export const valueAt = (tree: unknown, path: Path): unknown =>
  path.reduce<unknown>(
    (value, key) =>
      typeof value === 'object' && value !== null && Object.hasOwn(value, key)
        ? (value as Record<string | number, unknown>)[key]
        : undefined,
    tree,
  );

/** Whether maps and lists lead back into themselves: such a value has no end. */
export function holdsItself(value: unknown, above: ReadonlySet<unknown> = new Set()): boolean {
  if (!Array.isArray(value) && !isMap(value)) return false;
  if (above.has(value)) return true;
  const within = new Set(above).add(value);
  return Object.values(value).some((entry) => holdsItself(entry, within));
}

/** Maps and lists copied, all else as it is; `leaf` may replace what is neither. */
export function mapLeaves(value: unknown, leaf: (value: unknown, path: Path) => unknown, path: Path = []): unknown {
  if (Array.isArray(value)) return value.map((entry, i) => mapLeaves(entry, leaf, [...path, i]));
  if (isMap(value)) {
    return Object.fromEntries(
      Object.entries(value).map(([key, entry]) => [key, mapLeaves(entry, leaf, [...path, key])]),
    );
  }
  return leaf(value, path);
}

/** Options of these maps belong to their `name`, with the name of a map that says none: another name starts anew. */
const TAGGED: Readonly<Record<string, string | null>> = { model: null, 'train.optimizer': 'sgd' };

/** Gives such a map that says no name the standard one; the tree is changed. */
export function nameTagged(tree: Tree): void {
  for (const [place, name] of Object.entries(TAGGED)) {
    const map = valueAt(tree, place.split('.'));
    if (name !== null && isMap(map) && map.name === undefined) map.name = name;
  }
}

/** `over` on top of `base`: maps merge deeply, lists and scalars replace, null removes. Neither is changed. */
export function mergeTrees(base: Tree, over: Tree, path: Path = []): Tree {
  const merged = new Map(Object.entries(base));
  for (const [key, value] of Object.entries(over)) {
    const at = [...path, key];
    const below = merged.get(key);
    if (value === null) merged.delete(key);
    else if (!isMap(value)) merged.set(key, value);
    else merged.set(key, mergeTrees(isMap(below) && !isRenamed(below, value, at) ? below : {}, value, at));
  }
  return Object.fromEntries(merged);
}

function isRenamed(below: Tree, over: Tree, path: Path): boolean {
  const standard = TAGGED[formatPath(path)];
  if (standard === undefined || over.name === undefined) return false;
  const name = below.name ?? standard;
  return name !== null && name !== over.name;
}

/** Where a value has a key `__proto__`, which checks would drop without a word; null where none has it. */
export function findProto(value: unknown, at: Path = [], seen = new WeakSet<object>()): Path | null {
  if (typeof value !== 'object' || value === null || seen.has(value)) return null;
  seen.add(value);
  if (!Array.isArray(value) && !isMap(value)) return null;
  for (const [key, inner] of Object.entries(value)) {
    const here = [...at, Array.isArray(value) ? Number(key) : key];
    const found = key === '__proto__' ? here : findProto(inner, here, seen);
    if (found !== null) return found;
  }
  return null;
}
