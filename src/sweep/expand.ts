import { createHash } from 'node:crypto';
import { basename, dirname, extname, join, resolve } from 'node:path';
import { displayPath } from '../config/display.ts';
import { configInvalid, type Problem, setSyntax } from '../config/errors.ts';
import { loadConfig } from '../config/load.ts';
import { type Override, parseSetting } from '../config/overrides.ts';
import type { ConfigContext } from '../config/resolve.ts';
import { parsePath } from '../config/tree.ts';
import { messageOf, TailmixError } from '../errors.ts';
import type { Sweep } from './read.ts';

/** One run of a sweep. */
export interface PlannedRun {
  /** `remix kappa=4 seed 1`. */
  label: string;
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

/** Every run of a sweep, by config, then setting, then seed. */
export async function expandSweep(
  { file, name, options: { configs, seeds, set, grid, out }, where }: Sweep,
  overrides: SweepOverrides,
  context: ConfigContext,
): Promise<{ runs: PlannedRun[]; out: string }> {
  const root = overrides.out ?? out ?? join('runs', name);
  const labels = shortNames(configs.map((config) => resolve(dirname(file), config)));
  const shared = Object.entries(set).map(([path, value]) => setting(path, value, `${where(['set', path])}  set`));
  const combinations = product(
    Object.entries(grid).map(([path, values]) =>
      values.map((value, i) => setting(path, value, `${where(['grid', path, i])}  grid`)),
    ),
  );
  const runs: PlannedRun[] = [];
  const problems = new Set<string>();
  for (const [config, label] of labels) {
    for (const varied of combinations) {
      for (const seed of seeds) {
        const settings = [...shared, ...varied, ...overrides.set.map(parseSetting), seedSetting(seed)];
        try {
          const { hash } = await loadConfig(config, { ...context, overrides: fitting(settings) });
          const parts = [label, ...varied.map(describe), `seed ${seed}`];
          const key = createHash('sha256').update(`${hash} ${overrides.backend}`).digest('hex').slice(0, 8);
          const directory = join(root, `${[...parts, key].join('-').replace(/[^\w.=-]+/g, '')}`);
          runs.push({ label: parts.join(' '), config, set: fitting(settings).map(argument), directory, hash });
        } catch (error) {
          if (!(error instanceof TailmixError)) throw error;
          problems.add(messageOf(error));
        }
      }
    }
  }
  if (problems.size > 0) {
    throw new TailmixError([...problems].join('\n\n'), {
      code: 'CONFIG_INVALID',
      kind: 'config',
      path: displayPath(file),
    });
  }
  return { runs, out: root };
}

function setting(path: string, value: unknown, label: string): Override | Problem {
  const keys = parsePath(path);
  if (keys) return { label, path: keys, value };
  return { ...setSyntax(`${path}=${JSON.stringify(value)}`), where: label };
}

const seedSetting = (seed: number): Override => ({ label: 'seeds', path: ['seed'], value: seed });

/** @throws {TailmixError} CONFIG_INVALID for those that are none. */
function fitting(settings: readonly (Override | Problem)[]): Override[] {
  const problems = settings.filter((one): one is Problem => 'message' in one);
  if (problems.length > 0) throw configInvalid(problems);
  return settings as Override[];
}

/** `plugins.remix.kappa=4`, with the value as JSON, which is YAML too. */
const argument = ({ path, value }: Override): string =>
  `${path.join('.')}=${value === Number.POSITIVE_INFINITY ? '.inf' : JSON.stringify(value)}`;

/** `kappa=4`. */
const describe = (one: Override | Problem): string =>
  'message' in one ? '' : `${one.path.at(-1)}=${String(JSON.stringify(one.value)).replaceAll('"', '')}`;

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
