import { displayValue } from '../errors.ts';
import type { Finding } from './issues.ts';
import { isMap, type Path, valueAt } from './tree.ts';

/** Options that are places of files. */
const PLACES: readonly Path[] = [
  ['out'],
  ['data', 'root'],
  ['data', 'name'],
  ['model', 'init'],
  ['model', 'init', 'run'],
  ['model', 'path'],
  ['model', 'weights'],
  ['model', 'weights', 'file'],
];

/**
 * What is wrong with a place as it was written; null for one that may be right. Only a shell replaces `~` and `${HOME}`:
 * taken as they are, they would be names of folders.
 */
export function problemOfPlace(written: string): string | null {
  const variable = /\$\{(?!env:)(\w+)\}/.exec(written) ?? /\$([A-Za-z_]\w*)/.exec(written);
  if (variable) return `expected a variable as \${env:${variable[1]}}, got ${displayValue(written)}.`;
  if (/^~($|[/\\])/.test(written)) {
    return `expected a path, got ${displayValue(written)}: only a shell knows ~. Write ${displayValue(`\${env:HOME}${written.slice(1)}`)}.`;
  }
  return null;
}

/** Findings of places in a config that only a shell would understand. */
export function badPlaces(written: unknown): Finding[] {
  const plugins = valueAt(written, ['plugins']);
  const uses = Array.isArray(plugins)
    ? plugins.flatMap((entry, i) => (isMap(entry) ? [['plugins', i, 'use']] : []))
    : [];
  return [...PLACES, ...uses].flatMap((path) => {
    const value = valueAt(written, path);
    const message = typeof value === 'string' ? problemOfPlace(value) : null;
    return message === null ? [] : [{ path, message }];
  });
}
