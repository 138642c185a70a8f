import type { Evaluation, RunSummary } from '../src/metrics/types.ts';
import type { LoadedRun } from '../src/report/runs.ts';

/** A finished run as `runs.jsonl` keeps it: its summary, and what else a reader must know. */
export interface ResultLine extends Omit<RunSummary, 'last'> {
  /** Of the frozen sweep: config, seed and a part of the config's hash. */
  id: string;
  /** Without the bins of the reliability diagram. */
  last: Omit<Evaluation, 'reliability'>;
  /** Commit of the sources, with `+` where they had changes that were not committed. */
  commit: string;
  /** Processor, and the threads that the run had: with others the last bits are others. */
  machine: string;
}

/** What a summary has that no result is: the files it vouches for, and its own checksum. */
type Sealed = RunSummary & { last: Evaluation; files?: unknown; sha256?: unknown };

/** A line of `runs.jsonl`, from the summary of a finished run. */
export function lineOf(summary: Sealed, about: Pick<ResultLine, 'id' | 'commit' | 'machine'>): ResultLine {
  const { last, files: _files, sha256: _sha256, ...rest } = summary;
  const { reliability: _reliability, ...kept } = last;
  return { ...about, ...rest, last: kept };
}

/** A line as the report reads a run. */
export const runOf = ({ id, last, commit: _commit, machine: _machine, ...summary }: ResultLine): LoadedRun => ({
  path: id,
  summary: { ...summary, last: { ...last, reliability: [] } },
  epochs: [],
  config: { method: summary.method },
  configText: null,
  logits: null,
  notes: [],
  writtenAt: 0,
});

/** Lines by their run; of a run with several the last. */
export const linesOf = (text: string): Map<string, ResultLine> =>
  new Map(
    text
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line) as ResultLine)
      .map((line) => [line.id, line]),
  );

/**
 * Commit of a run that was made before, as it noted for MLflow where it began, or last went on.
 *
 * @param spool - text of the run's `spool.jsonl`
 */
export function notedCommit(spool: string): string {
  const noted = spool.matchAll(/"mlflow\.source\.git\.commit":"(\w{7}).*?"mlflow\.source\.git\.dirty":"(\w+)"/g);
  const [, commit, dirty] = [...noted].at(-1) ?? [];
  return commit === undefined ? 'unknown' : `${commit}${dirty === 'true' ? '+' : ''}`;
}
