import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { canonicalJson } from '../config/identity.ts';
import { loadConfig } from '../config/load.ts';
import { type Override, parseSetting } from '../config/overrides.ts';
import type { ConfigContext } from '../config/resolve.ts';
import { displayPath, TailmixError } from '../errors.ts';
import { epochsOf } from '../train/run-epochs.ts';
import { type ConfigProblem, noRuns, runsInvalid, sameRun, seedSet, type TrainedAs, tooManyRuns } from './errors.ts';
import { matchesAny } from './only.ts';
import type { Sweep } from './read.ts';
import { countVarieties, setting, varietiesOf } from './varieties.ts';

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

/** What a sweep runs with each seed. */
export interface Trial {
  /** Config, as the sweep shows it. */
  cell: string;
  /** Of its runs, without the seed. */
  label: string;
  isBaseline: boolean;
  epochs: number;
  /** By seed. */
  runs: PlannedRun[];
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
  { name, options, cells, origins: { where } }: Sweep,
  overrides: SweepOverrides,
  context: ConfigContext,
): Promise<{ runs: PlannedRun[]; out: string; trials: Trial[] }> {
  const { seeds, set, out } = options;
  const root = overrides.out ?? out ?? join('runs', name);
  const shared = Object.entries(set).map(([path, value]) => setting(path, value, `${where(['set', path])}  set`));
  const count = seeds.length * cells.length * countVarieties(options);
  if (count > MOST_RUNS) throw tooManyRuns(name, count, MOST_RUNS);
  const varieties = varietiesOf(options, where);
  const named: { run: PlannedRun; names: string[] }[] = [];
  const problems: ConfigProblem[] = [];
  const trials = new Map<string, Trial>();
  const trained = new Map<string, TrainedAs>();
  for (const seed of seeds) {
    for (const { files, name: short } of cells) {
      for (const { settings: varied, parts: words, isBaseline } of varieties) {
        const settings = [...shared, ...varied, { label: `${where(['seeds'])}  seeds`, path: ['seed'], value: seed }];
        const parts = [short, ...words, `seed ${seed}`];
        const label = parts.join(' ');
        try {
          const { hash, options, resolved } = await loadConfig(files, {
            ...context,
            overrides: [...settings, ...overrides.set.map(parseSetting)],
          });
          if (options.seed !== seed) throw seedSet(options.seed, seeds);
          // Another name or method makes no other run.
          const { name: _, method: __, ...settled } = resolved;
          const same = canonicalJson({ short, seed, resolved: settled, out: options.out });
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
          const key = parts.slice(0, -1).join(' ');
          const trial = trials.get(key) ?? { cell: short, label: key, isBaseline, epochs: epochsOf(options), runs: [] };
          trials.set(key, { ...trial, runs: [...trial.runs, run] });
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
  const runs = wanted.map(({ run }) => run);
  const kept = [...trials.values()].map((trial) => ({
    ...trial,
    runs: trial.runs.filter((run) => runs.includes(run)),
  }));
  return { runs, out: root, trials: kept.filter((trial) => trial.runs.length > 0) };
}

/** Each is a config that is read and checked before the first is trained. */
const MOST_RUNS = 10_000;

/** Characters of a directory's name before its hash; file systems take 255 bytes. */
const LONGEST = 200;

/** @param hidden - parts of a run's label that the name of its directory does not show */
const keyOf = (hash: string, backend: string, ...hidden: string[]): string =>
  createHash('sha256')
    .update([hash, backend, ...hidden].join(' '))
    .digest('hex')
    .slice(0, 8);

/** `plugins.remix.kappa=4`, with the value as JSON, which is YAML too. */
const argument = ({ path, value }: Override): string =>
  `${path.join('.')}=${value === Number.POSITIVE_INFINITY ? '.inf' : JSON.stringify(value)}`;
