import { TailmixError } from '../errors.ts';

/** A config of a sweep that does not hold. */
export interface ConfigProblem {
  /** As messages name it. */
  config: string;
  error: TailmixError;
}

/** Configs of a sweep that do not hold: each problem once, with the configs that have it where others do not. */
export function runsInvalid(file: string, problems: readonly ConfigProblem[], configs: number): TailmixError {
  const having = new Map<string, Set<string>>();
  for (const { config, error } of problems) {
    const parts = error.code === 'CONFIG_INVALID' ? error.message.split('\n\n') : [error.message];
    for (const part of parts) having.set(part, (having.get(part) ?? new Set()).add(config));
  }
  const report = [...having].map(([part, those]) =>
    those.size === configs || [...those].some((config) => part.startsWith(config))
      ? part
      : `${part}\n  In ${[...those].join(', ')}.`,
  );
  return new TailmixError(report.join('\n\n'), { code: 'CONFIG_INVALID', kind: 'config', path: file });
}
