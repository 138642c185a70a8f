import { createHash } from 'node:crypto';
import { isMap, type Tree } from './tree.ts';

/** What a run's figures do not depend on: names, places, engines, and what is only for speed. */
const NOT_RESULTS: readonly (readonly string[])[] = [
  ['name'],
  ['method'],
  ['out'],
  ['backend'],
  ['plugins'],
  ['phases'],
  ['data', 'root'],
  ['data', 'workers'],
  ['model', 'init', 'run'],
  ['model', 'weights', 'file'],
  ['train', 'step'],
  ['train', 'device'],
  ['evaluate', 'batchSize'],
  ['evaluate', 'keepLogits'],
];

/**
 * SHA-256, hex, of what decides a run's results: the resolved config without names, places, engines and speed, and the
 * plugins that take part (not those that only observe). Two runs with one hash should come to the same figures.
 *
 * @param plugins - name, options and, for a plugin of a user's own, hash of its file; in order.
 * @param phases - what each phase has of its own, plugins described alike; null for a run that says nothing of phases.
 */
export function hashConfig(resolved: Tree, plugins: readonly Tree[], phases: readonly Tree[] | null = null): string {
  const decisive = NOT_RESULTS.reduce((tree, path) => without(tree, path), resolved);
  // As `stages`, which phases were once called: a hash stays what it is when only a word changes.
  return createHash('sha256')
    .update(canonicalJson({ ...decisive, plugins, ...(phases && { stages: phases }) }))
    .digest('hex');
}

/** JSON with sorted keys and no spaces, an infinity as text: equal values give equal texts. */
export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`;
  if (typeof value === 'number') return Number.isFinite(value) ? JSON.stringify(value) : `"${value}"`;
  if (!isMap(value)) return JSON.stringify(value) ?? 'null';
  const entries = Object.entries(value)
    .filter(([, entry]) => entry !== undefined)
    .sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${entries.map(([key, entry]) => `${JSON.stringify(key)}:${canonicalJson(entry)}`).join(',')}}`;
}

function without(tree: Tree, [key, ...rest]: readonly string[]): Tree {
  if (key === undefined || !(key in tree)) return tree;
  const { [key]: below, ...others } = tree;
  return rest.length > 0 && isMap(below) ? { ...others, [key]: without(below, rest) } : others;
}
