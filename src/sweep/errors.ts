import { TailmixError } from '../errors.ts';

/** A config of a sweep that does not hold. */
export interface ConfigProblem {
  /** Its files, as messages name them. */
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
    `${path}: expected a sweep, which lists \`configs\`, or \`methods\` and \`data\`; got the config of a run. Start it with \`tailmix train ${path}\`.`,
    { code: 'SWEEP_IS_RUN', kind: 'config' },
  );

/** `--only` with patterns that no run fits. */
export const noRuns = (patterns: readonly string[], names: readonly string[]): TailmixError =>
  new TailmixError(
    `--only: expected a pattern that fits a run of the sweep, got ${patterns.join(' and ')}.\n  Configs: ${few(new Set(names))}.`,
    { code: 'SWEEP_ONLY', kind: 'config' },
  );
