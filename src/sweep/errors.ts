import { configInvalid } from '../config/errors.ts';
import type { Override } from '../config/overrides.ts';
import { formatPath } from '../config/tree.ts';
import { displayPath, displayValue, TailmixError } from '../errors.ts';

/** A config of a sweep that does not hold. */
export interface ConfigProblem {
  /** Its files, as messages name them, or the runs that have it. */
  files: readonly string[];
  error: TailmixError;
}

/** Configs of a sweep that do not hold: each problem once, with the configs that have it where others do not. */
export function runsInvalid(sweep: string, problems: readonly ConfigProblem[], configs: number): TailmixError {
  const having = new Map<string, Set<string>>();
  const files = new Set(problems.flatMap((problem) => problem.files));
  for (const { files: own, error } of problems) {
    const parts = error.code === 'CONFIG_INVALID' ? error.message.split('\n\n') : [error.message];
    for (const part of parts) having.set(part, (having.get(part) ?? new Set()).add(own.join(' ')));
  }
  const report = [...having].map(([part, those]) =>
    those.size === configs || [...files].some((file) => part.startsWith(file)) ? part : `${part}\n  In ${few(those)}.`,
  );
  return new TailmixError(report.join('\n\n'), { code: 'CONFIG_INVALID', kind: 'config', path: sweep });
}

const SHOWN = 5;

const few = (names: ReadonlySet<string>): string => {
  const more = names.size - SHOWN;
  return `${[...names].slice(0, SHOWN).join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
};

/** A sweep was expected, and the config of a run came. */
export const sweepIsRun = (path: string): TailmixError =>
  new TailmixError(
    `${path}: expected a sweep, which lists \`configs\`, or \`methods\` and \`data\`; got the config of a run. Start it with \`tailmix train ${path}\`, or vary it: --grid train.optimizer.learningRate=0.05,0.1 or --seeds 0,1,2.`,
    { code: 'SWEEP_IS_RUN', kind: 'config' },
  );

/** `--grid` that is no path with values. */
export const gridSyntax = (text: string, what: string): TailmixError =>
  new TailmixError(
    `--grid ${text}: expected PATH=VALUE,VALUE, for example train.optimizer.learningRate=0.05,0.1; ${what}.`,
    { code: 'SWEEP_GRID', kind: 'config' },
  );

/** `--only` with patterns that no run fits. */
export const noRuns = (patterns: readonly string[], names: readonly string[]): TailmixError =>
  new TailmixError(
    `--only: expected a pattern that fits a run of the sweep, got ${patterns.join(' and ')}.\n  Configs: ${few(new Set(names))}.`,
    { code: 'SWEEP_ONLY', kind: 'config' },
  );

/** A sweep of more runs than anybody waits for. */
export const tooManyRuns = (sweep: string, count: number, most: number): TailmixError =>
  new TailmixError(
    `sweep ${sweep}: expected at most ${most} runs; configs × settings of the grid × seeds are ${count}. Take values out of \`grid\`, or make several sweeps.`,
    { code: 'SWEEP_TOO_LARGE', kind: 'config' },
  );

/** A run of a sweep, and the values of the grid that it has. */
export interface TrainedAs {
  label: string;
  varied: readonly Override[];
}

/** Two runs of a sweep that are one: what the grid varies between them has no effect. */
export function sameRun(before: TrainedAs, now: TrainedAs): TailmixError {
  const differing = now.varied.filter(({ value }, i) => !Object.is(value, before.varied[i]!.value));
  const [first] = differing;
  const values = differing.map(({ path, value }) => {
    const other = before.varied.find((own) => formatPath(own.path) === formatPath(path))!.value;
    return `${formatPath(path)} ${displayValue(other)} and ${displayValue(value)}`;
  });
  const hint =
    first !== undefined && formatPath(first.path) === 'seed'
      ? 'List seeds under `seeds`.'
      : 'Remove one value, or look for what sets it over the grid: `seeds`, --set, a plugin that is switched off.';
  return configInvalid([
    {
      where: first?.label ?? null,
      path: '',
      message: `expected values that make different runs; ${values.join(' and ')} give the same config: "${before.label}" and "${now.label}" would train one run twice. ${hint}`,
    },
  ]);
}

/** A seed that is set for all runs, whatever `seeds` says. */
export const seedSet = (seed: number, seeds: readonly number[]): TailmixError =>
  configInvalid([
    {
      where: null,
      path: 'seed',
      message: `expected the seed to come from \`seeds\` (${seeds.join(', ')}), got ${seed} for every run from --set. List it under \`seeds\`.`,
    },
  ]);

/** A search over runs without a validation split, which it would choose by. */
export const searchBlind = (where = ''): TailmixError =>
  new TailmixError(
    `${where}search: expected runs with a validation split, by which it chooses (never by test); got none. Set data.split.validation, for example to 0.1.`,
    { code: 'SEARCH_BLIND', kind: 'config', path: 'search' },
  );

/** Jobs of a cluster know nothing of each other. */
export const halvingApart = (): TailmixError =>
  new TailmixError(
    'search.halving: expected runs in one process, which compares them on the way; jobs of a cluster run each by itself. Leave halving out there, or run the sweep in one process: --jobs N.',
    { code: 'SEARCH_APART', kind: 'config', path: 'search.halving' },
  );

/** What ended a run that could not say it. */
export const childKilled = (signal: NodeJS.Signals): string =>
  `the process of the run was ended by ${signal}${signal === 'SIGKILL' ? ', as the system does when memory runs out (then fewer --jobs, or a smaller batch, help)' : ''}; the same command continues it.`;

/** The frozen grid of a sweep that is no such file. */
export const frozenDamaged = (path: string, reason: string, cause: unknown): TailmixError =>
  new TailmixError(
    `${displayPath(path)}: expected the frozen grid of a sweep; ${reason.replaceAll(/\s*\n\s*/g, ' ')}\n  Remove the file, and freeze the grid again with \`tailmix sweep FILE --list\`.`,
    { code: 'SWEEP_DAMAGED', cause },
  );

/** A folder without a frozen grid. */
export const notFrozen = (out: string): TailmixError =>
  new TailmixError(
    `${out}: expected the folder of a sweep whose grid is frozen; there is no sweep/sweep.json in it. Freeze it first: \`tailmix sweep FILE --list --out ${out}\`.`,
    { code: 'SWEEP_NOT_FROZEN', kind: 'config' },
  );

/** A run that a frozen grid does not have. */
export const runUnknown = (wanted: string, ids: readonly string[]): TailmixError =>
  new TailmixError(
    `--run: expected the id of a run, or its number from 0 to ${ids.length - 1}, got ${JSON.stringify(wanted)}.\n  Ids: ${few(new Set(ids))}. \`--list\` shows all of them, and freezes the grid as its files are now.`,
    { code: 'SWEEP_RUN', kind: 'config' },
  );

/** Options of a sweep that do not go together. */
export const optionsClash = (option: string, others: readonly string[], hint: string): TailmixError =>
  new TailmixError(`${option}: expected to be given without ${others.join(' and ')}. ${hint}`, {
    code: 'SWEEP_OPTIONS',
    kind: 'config',
  });

/** A command of Slurm that is missing or says no. */
export const slurmRefused = (command: string, reason: string): TailmixError =>
  new TailmixError(`Slurm: expected an answer from ${command}; ${reason}.`, { code: 'SLURM_REFUSED' });

/** A value for a batch script that Slurm would read as something else. */
export const slurmValue = (option: string, got: string, expected: string): TailmixError =>
  new TailmixError(`${option}: expected ${expected}, got ${displayValue(got)}.`, {
    code: 'SLURM_OPTION',
    kind: 'config',
  });
