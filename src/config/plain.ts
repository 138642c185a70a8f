import { isMap, mapLeaves, type Tree } from './tree.ts';

/** As JSON can have it: without what was left undefined; a function is only named. */
export const plain = (tree: Tree): Tree =>
  withoutUndefined(
    mapLeaves(tree, (leaf) => (typeof leaf === 'function' ? `[function ${leaf.name || 'without a name'}]` : leaf)),
  ) as Tree;

function withoutUndefined(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutUndefined);
  if (!isMap(value)) return value;
  const entries = Object.entries(value).filter(([, entry]) => entry !== undefined);
  return Object.fromEntries(entries.map(([key, entry]) => [key, withoutUndefined(entry)]));
}
