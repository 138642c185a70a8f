import { PLACEHOLDER, substituteText } from '../util/placeholders.ts';
import { mapLeaves, type Path, valueAt } from './tree.ts';

/** A text of the config that had a placeholder. */
export interface Placeholder {
  path: Path;
  /** As written, for example `${env:TRACKING_URI}`; what is logged. */
  written: string;
  /** What stands for it in the run; never shown. */
  value: string;
}

/** Values of a config with placeholders filled in, and what they were. */
export interface Substitution {
  tree: unknown;
  placeholders: Placeholder[];
  /** Path and message of each placeholder that cannot be filled in. */
  problems: { path: Path; message: string }[];
}

/** Fills in the placeholders of every text in a tree. The tree itself stays as it is. */
export function substitute(tree: unknown): Substitution {
  const placeholders: Placeholder[] = [];
  const problems: Substitution['problems'] = [];
  const filled = mapLeaves(tree, (leaf, path) => {
    if (typeof leaf !== 'string' || !leaf.includes('${env:')) return leaf;
    const { value, missing } = substituteText(leaf);
    if (leaf.replace(PLACEHOLDER, '').includes('${env:')) {
      problems.push({ path, message: `expected \${env:NAME} or \${env:NAME:-default}, got ${JSON.stringify(leaf)}.` });
    }
    for (const name of missing) {
      problems.push({
        path,
        message: `the environment has no ${name}. Set it, or give a default: \${env:${name}:-default}.`,
      });
    }
    placeholders.push({ path, written: leaf, value });
    return value;
  });
  return { tree: filled, placeholders, problems };
}

/** A copy of a tree with placeholders in the place of their texts; numbers, true and false from the environment stay. */
export function restore(tree: unknown, placeholders: readonly Placeholder[]): unknown {
  const copy = mapLeaves(tree, (leaf) => leaf);
  for (const { path, written } of placeholders) {
    const parent = valueAt(copy, path.slice(0, -1));
    const key = path.at(-1)!;
    const now = valueAt(parent, [key]);
    // What was typed is a value like any other: it decides results, and is recorded.
    if (typeof now === 'string' && typeof parent === 'object' && parent !== null) {
      (parent as Record<string | number, unknown>)[key] = written;
    }
  }
  return copy;
}

/** A message about a place, with the values of placeholders there put back to what was written. */
export function redact(message: string, path: Path, placeholders: readonly Placeholder[]): string {
  const related = ({ path: own, value }: Placeholder): boolean =>
    value !== '' && own.every((key, i) => i >= path.length || path[i] === key);
  return placeholders.filter(related).reduce((text, { value, written }) => text.replaceAll(value, written), message);
}
