import { parse } from 'yaml';
import { formatPath, parsePath, type Tree } from '../config/tree.ts';
import { gridSyntax } from './errors.ts';

/** What the command line varies, in addition to a sweep's own grid or in place of a sweep. */
export interface Variations {
  /** `path=value,value`, each value YAML; `seed` is the seeds. */
  grid?: readonly string[];
  seeds?: readonly number[];
}

/**
 * Variations as a part of a sweep, and what messages call each of its values.
 *
 * @throws {TailmixError} SWEEP_GRID
 */
export function variedBy({ grid = [], seeds }: Variations): { tree: Tree; labels: Map<string, string> } | null {
  if (grid.length === 0 && seeds === undefined) return null;
  const labels = new Map<string, string>();
  const tree: Tree = {};
  const varied: Tree = {};
  if (seeds) {
    tree.seeds = [...seeds];
    labels.set('seeds', `--seeds ${seeds.join()}`);
  }
  for (const text of grid) {
    const { path, values } = axisOf(text);
    const isSeed = path === 'seed';
    const [place, key] = isSeed ? [tree, 'seeds'] : [varied, path];
    if (Object.hasOwn(place, key)) throw gridSyntax(text, `${path} is varied twice`);
    place[key] = values;
    labels.set(isSeed ? key : formatPath(['grid', path]), `--grid ${text}`);
  }
  if (Object.keys(varied).length > 0) tree.grid = varied;
  return { tree, labels };
}

/** Reads `a.b=1,2`; the values are those of a list of YAML. */
function axisOf(text: string): { path: string; values: unknown[] } {
  const equals = text.indexOf('=');
  const path = text.slice(0, Math.max(equals, 0));
  if (parsePath(path) === null) throw gridSyntax(text, 'there is no path before "="');
  if (text.slice(equals + 1).trim() === '') throw gridSyntax(text, 'there is no value after "="');
  try {
    return { path, values: parse(`[${text.slice(equals + 1)}]`) as unknown[] };
  } catch {
    throw gridSyntax(text, 'the values are no list of YAML');
  }
}
