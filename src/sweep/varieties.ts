import type { z } from 'zod';
import type { Override } from '../config/overrides.ts';
import type { sweepOptions } from '../config/sweep-schema.ts';
import { type Path, parsePath } from '../config/tree.ts';
import { drawTrials } from './space.ts';

type Options = Pick<z.output<typeof sweepOptions>, 'grid' | 'search' | 'baseline'>;

/** What tells runs of one config and seed apart. */
export interface Variety {
  settings: Override[];
  /** Of the runs' label: `kappa=4`. */
  parts: string[];
  /** Whether it is the run without the plugins whose options vary. */
  isBaseline: boolean;
}

/** How many {@link varietiesOf} would give at most. */
export const countVarieties = ({ grid, search, baseline = search !== undefined }: Options): number =>
  Object.values(grid).reduce((product, values) => product * values.length, search?.trials ?? 1) + (baseline ? 1 : 0);

/**
 * Every combination of the grid with every trial of the search, and last the baseline.
 *
 * @param where - place of a part of the sweep, for messages
 */
export function varietiesOf(
  { grid, search, baseline = search !== undefined }: Options,
  where: (path: Path) => string | null,
): Variety[] {
  const gridded = product(
    Object.entries(grid).map(([path, values]) =>
      values.map((value, i) => setting(path, value, `${where(['grid', path, i])}  grid`)),
    ),
  );
  const drawn = (search ? drawTrials(search) : [{}]).map((values) =>
    Object.entries(values).map(([path, value]) => setting(path, value, `${where(['search', 'space', path])}  search`)),
  );
  const combined = product([gridded, drawn]).map((parts) => parts.flat());
  const paths = (combined[0] ?? []).map(({ path }) => path);
  const keys = shortKeys(paths);
  const varieties = combined.map(
    (settings): Variety => ({
      settings,
      parts: settings.map(({ value }, i) => `${keys[i]}=${inWords(value)}`),
      isBaseline: false,
    }),
  );
  return baseline ? [...varieties, ...baselineOf(paths, where)] : varieties;
}

/** None where no option of a plugin varies. */
function baselineOf(paths: readonly Path[], where: (path: Path) => string | null): Variety[] {
  const plugins = [...new Set(paths.flatMap(pluginOf))];
  if (plugins.length === 0) return [];
  const settings = plugins.map((name) => setting(`plugins.${name}.enabled`, false, `${where(['baseline'])}  baseline`));
  return [{ settings, parts: [`without ${plugins.join(' and ')}`], isBaseline: true }];
}

/** `remix` for `plugins.remix.kappa`. */
const pluginOf = ([section, name]: Path): string[] => (section === 'plugins' && typeof name === 'string' ? [name] : []);

/** A setting of a run as an override. */
export const setting = (path: string, value: unknown, label: string): Override => ({
  label,
  path: [...parsePath(path)!],
  value,
});

/** A value of a label: JSON without quotes. */
const inWords = (value: unknown): string => String(JSON.stringify(value)).replaceAll('"', '');

/** `kappa` for `plugins.remix.kappa`, and `drw.enabled`: as much of each path as tells it from the others. */
export function shortKeys(paths: readonly Path[]): string[] {
  return paths.map((path) => {
    const tail = (own: Path, length: number): string => own.slice(-length).join('.');
    let length = path.at(-1) === 'enabled' ? 2 : 1;
    while (length < path.length && paths.some((other) => other !== path && tail(other, length) === tail(path, length)))
      length++;
    return tail(path, length);
  });
}

/** Every way to take one of each list. */
const product = <T>(lists: readonly (readonly T[])[]): T[][] =>
  lists.reduce<T[][]>((all, list) => all.flatMap((taken) => list.map((one) => [...taken, one])), [[]]);
