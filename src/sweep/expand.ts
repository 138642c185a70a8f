import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { canonicalJson } from '../config/identity.ts';
import { loadConfig } from '../config/load.ts';
import { type Override, parseSetting } from '../config/overrides.ts';
import type { ConfigContext } from '../config/resolve.ts';
import { parsePath } from '../config/tree.ts';
import { displayPath, TailmixError } from '../errors.ts';
import { type ConfigProblem, noRuns, runsInvalid, sameRun, seedSet, type TrainedAs, tooManyRuns } from './errors.ts';
import { matchesAny } from './only.ts';
import type { Sweep } from './read.ts';

/** One run of a sweep. */
export interface PlannedRun {
  /** `remix kappa=4 seed 1`. */
  label: string;
  /** What tells it from others of its config: `kappa=4 seed 1`. */
  variation: string;
  /** Absolute paths of its config files; later ones win. */
  configs: string[];
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
  /** Patterns of the runs that are wanted: of their name, their config as the sweep shows it, or their label. Default: all. */
  only?: readonly string[] | undefined;
}

/**
 * Every run of a sweep, by seed, then config, then setting: a sweep that is stopped half-way has all methods of its
 * first seeds. Each config is read and checked.
 *
 * @throws {TailmixError} CONFIG_INVALID with everything that is wrong in any of them; SWEEP_ONLY where no run is wanted;
 *   SWEEP_TOO_LARGE.
 */
export async function expandSweep(
  { name, options: { seeds, set, grid, out }, cells, origins: { where } }: Sweep,
  overrides: SweepOverrides,
  context: ConfigContext,
): Promise<{ runs: PlannedRun[]; out: string }> {
  const root = overrides.out ?? out ?? join('runs', name);
  const shared = Object.entries(set).map(([path, value]) => setting(path, value, `${where(['set', path])}  set`));
  const varieties = Object.values(grid).reduce((product, values) => product * values.length, 1);
  const count = seeds.length * cells.length * varieties;
  if (count > MOST_RUNS) throw tooManyRuns(name, count, MOST_RUNS);
  const combinations = product(
    Object.entries(grid).map(([path, values]) =>
      values.map((value, i) => setting(path, value, `${where(['grid', path, i])}  grid`)),
    ),
  );
  const named: { run: PlannedRun; names: string[] }[] = [];
  const problems: ConfigProblem[] = [];
  const keys = shortKeys(Object.keys(grid).map((path) => parsePath(path)!));
  const trained = new Map<string, TrainedAs>();
  for (const seed of seeds) {
    for (const { files, name: short } of cells) {
      for (const varied of combinations) {
        const settings = [...shared, ...varied, { label: `${where(['seeds'])}  seeds`, path: ['seed'], value: seed }];
        const parts = [short, ...varied.map(({ value }, i) => `${keys[i]}=${inWords(value)}`), `seed ${seed}`];
        const label = parts.join(' ');
        try {
          const { hash, options, resolved } = await loadConfig(files, {
            ...context,
            overrides: [...settings, ...overrides.set.map(parseSetting)],
          });
          if (options.seed !== seed) throw seedSet(options.seed, seeds);
          const same = canonicalJson({ short, seed, resolved, out: options.out });
          const before = trained.get(same);
          const now = { label, varied };
          if (before) throw sameRun(before, now);
          trained.set(same, now);
          const stem = parts
            .join('-')
            .replace(/[^\w.=-]+/g, '')
            .slice(0, LONGEST);
          // What decides no result, such as a method's name, is not in the hash.
          const hidden = parts.slice(0, -1).filter((part) => !stem.includes(part));
          const directory = `${stem}-${keyOf(hash, overrides.backend, ...hidden)}`;
          const run = {
            label,
            variation: parts.slice(1).join(' '),
            configs: files,
            set: [...settings.map(argument), ...overrides.set],
            directory: join(root, directory),
            hash,
          };
          named.push({ run, names: [options.name, short, label] });
        } catch (error) {
          if (!(error instanceof TailmixError)) throw error;
          problems.push({ files: files.map(displayPath), error });
        }
      }
    }
  }
  if (problems.length > 0) throw runsInvalid(name, problems, cells.length);
  const { only } = overrides;
  const wanted = only ? named.filter(({ names }) => matchesAny(only, names)) : named;
  if (wanted.length === 0) throw noRuns(only!, [...new Set(cells.map((cell) => cell.name))]);
  return { runs: wanted.map(({ run }) => run), out: root };
}

/** Each is a config that is read and checked before the first is trained. */
const MOST_RUNS = 10_000;

/** Characters of a directory's name before its hash; file systems take 255 bytes. */
const LONGEST = 200;

const setting = (path: string, value: unknown, label: string): Override => ({ label, path: parsePath(path)!, value });

/** @param hidden - parts of a run's label that the name of its directory does not show */
const keyOf = (hash: string, backend: string, ...hidden: string[]): string =>
  createHash('sha256')
    .update([hash, backend, ...hidden].join(' '))
    .digest('hex')
    .slice(0, 8);

/** `plugins.remix.kappa=4`, with the value as JSON, which is YAML too. */
const argument = ({ path, value }: Override): string =>
  `${path.join('.')}=${value === Number.POSITIVE_INFINITY ? '.inf' : JSON.stringify(value)}`;

/** A value of a label: JSON without quotes. */
const inWords = (value: unknown): string => String(JSON.stringify(value)).replaceAll('"', '');

/** `kappa` for `plugins.remix.kappa`, and `drw.enabled`: as much of each path as tells it from the others. */
export function shortKeys(paths: readonly (readonly (string | number)[])[]): string[] {
  return paths.map((path) => {
    const tail = (own: readonly (string | number)[], length: number): string => own.slice(-length).join('.');
    let length = path.at(-1) === 'enabled' ? 2 : 1;
    while (length < path.length && paths.some((other) => other !== path && tail(other, length) === tail(path, length)))
      length++;
    return tail(path, length);
  });
}

/** Every way to take one of each list. */
const product = <T>(lists: readonly (readonly T[])[]): T[][] =>
  lists.reduce<T[][]>((all, list) => all.flatMap((taken) => list.map((one) => [...taken, one])), [[]]);
