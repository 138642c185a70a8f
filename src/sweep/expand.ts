import { createHash } from 'node:crypto';
import { basename, dirname, extname, join, resolve } from 'node:path';
import { displayPath } from '../config/display.ts';
import { loadConfig } from '../config/load.ts';
import { type Override, parseSetting } from '../config/overrides.ts';
import type { ConfigContext } from '../config/resolve.ts';
import { parsePath } from '../config/tree.ts';
import { TailmixError } from '../errors.ts';
import { type ConfigProblem, runsInvalid } from './errors.ts';
import type { Sweep } from './read.ts';

/** One run of a sweep. */
export interface PlannedRun {
  /** `remix kappa=4 seed 1`. */
  label: string;
  /** What tells it from others of its config: `kappa=4 seed 1`. */
  variation: string;
  /** Absolute path of the config. */
  config: string;
  /** For `--set`, in order. */
  set: string[];
  /** Run directory. Named by a hash of what decides the results, so that other settings never meet its files. */
  directory: string;
  /** Config hash that the run will have. */
  hash: string;
}

/** What the command line adds to a sweep. */
export interface SweepOverrides {
  /** `--set` values for every run. */
  set: readonly string[];
  /** Engine that the runs will have: results of two engines are kept apart. */
  backend: string;
  /** Folder of the runs; null for the sweep's own. */
  out: string | null;
}

/**
 * Every run of a sweep, by seed, then config, then setting: a sweep that is stopped half-way has all methods of its
 * first seeds. Each config is read and checked.
 *
 * @throws {TailmixError} CONFIG_INVALID with everything that is wrong in any of them.
 */
export async function expandSweep(
  { file, name, options: { configs, seeds, set, grid, out }, where }: Sweep,
  overrides: SweepOverrides,
  context: ConfigContext,
): Promise<{ runs: PlannedRun[]; out: string }> {
  const root = overrides.out ?? out ?? join('runs', name);
  const shared = Object.entries(set).map(([path, value]) => setting(path, value, `${where(['set', path])}  set`));
  const combinations = product(
    Object.entries(grid).map(([path, values]) =>
      values.map((value, i) => setting(path, value, `${where(['grid', path, i])}  grid`)),
    ),
  );
  const runs: PlannedRun[] = [];
  const problems: ConfigProblem[] = [];
  for (const seed of seeds) {
    for (const [config, short] of shortNames(configs.map((config) => resolve(dirname(file), config)))) {
      for (const varied of combinations) {
        const settings = [...shared, ...varied, { label: `${where(['seeds'])}  seeds`, path: ['seed'], value: seed }];
        const parts = [short, ...varied.map(describe), `seed ${seed}`];
        const set = [...settings.map(argument), ...overrides.set];
        const directory = (key: string): string => join(root, [...parts, key].join('-').replace(/[^\w.=-]+/g, ''));
        try {
          const { hash } = await loadConfig(config, {
            ...context,
            overrides: [...settings, ...overrides.set.map(parseSetting)],
          });
          runs.push({
            label: parts.join(' '),
            variation: parts.slice(1).join(' '),
            config,
            set,
            directory: directory(keyOf(hash, overrides.backend)),
            hash,
          });
        } catch (error) {
          if (!(error instanceof TailmixError)) throw error;
          problems.push({ config: displayPath(config), error });
        }
      }
    }
  }
  if (problems.length > 0) throw runsInvalid(displayPath(file), problems, configs.length);
  return { runs, out: root };
}

const setting = (path: string, value: unknown, label: string): Override => ({ label, path: parsePath(path)!, value });

const keyOf = (hash: string, backend: string): string =>
  createHash('sha256').update(`${hash} ${backend}`).digest('hex').slice(0, 8);

/** `plugins.remix.kappa=4`, with the value as JSON, which is YAML too. */
const argument = ({ path, value }: Override): string =>
  `${path.join('.')}=${value === Number.POSITIVE_INFINITY ? '.inf' : JSON.stringify(value)}`;

/** `kappa=4`. */
const describe = ({ path, value }: Override): string =>
  `${path.at(-1)}=${String(JSON.stringify(value)).replaceAll('"', '')}`;

/** Every way to take one of each list. */
const product = <T>(lists: readonly (readonly T[])[]): T[][] =>
  lists.reduce<T[][]>((all, list) => all.flatMap((taken) => list.map((one) => [...taken, one])), [[]]);

/** The end of each path, as long as it must be to tell it from the others. */
function shortNames(paths: readonly string[]): [path: string, name: string][] {
  const tail = (path: string, length: number): string =>
    [...dirname(path).split(/[\\/]/), basename(path, extname(path))].slice(-length).join('-');
  const isUnique = (length: number): boolean => new Set(paths.map((path) => tail(path, length))).size === paths.length;
  let length = 1;
  while (!isUnique(length) && length < 20) length++;
  return paths.map((path) => [path, tail(path, length)]);
}
