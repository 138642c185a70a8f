import { mean } from '../metrics/statistics.ts';
import { readEpochs } from '../tracking/run-directory.ts';
import { searchBlind } from './errors.ts';
import type { PlannedRun, Trial } from './expand.ts';
import { type RunContext, type RunOutcome, runSweep } from './run.ts';
import type { Search } from './space.ts';

type Halving = NonNullable<Search['halving']>;

/** Epochs after which trials are compared: `from`, and `factor` times the one before, below those of a whole run. */
export function rungsOf({ from, factor }: Halving, epochs: number): number[] {
  const rungs: number[] = [];
  for (let rung = from; rung < epochs; rung = Math.ceil(rung * factor)) rungs.push(rung);
  return rungs;
}

/** A trial, and what it came to on validation. */
export interface Scored<T> {
  trial: T;
  score: number;
}

/** The best one in `factor`, at least one, and the others; of equal ones the first goes on. */
export function halve<T>(trials: readonly Scored<T>[], factor: number): { kept: Scored<T>[]; pruned: Scored<T>[] } {
  const sorted = trials.toSorted((a, b) => b.score - a.score);
  const count = Math.ceil(sorted.length / factor);
  return { kept: sorted.slice(0, count), pruned: sorted.slice(count) };
}

/**
 * Successive halving (Jamieson and Talwalkar 2016): trains all trials of a config for a few epochs, the best of them for more, and
 * the last ones to their end. They are compared by balanced accuracy on validation, its mean over the seeds. A run that was
 * stopped on the way goes on from its checkpoint, as one that is resumed; called again, the search comes to the same trials.
 * Baselines are trained to their end.
 *
 * @returns outcomes in the order of `runs`.
 * @throws {TailmixError} SEARCH_BLIND
 */
export async function runHalving(
  runs: readonly PlannedRun[],
  trials: readonly Trial[],
  halving: Halving,
  context: RunContext & { jobs: number },
): Promise<RunOutcome[]> {
  const outcomes = new Map<PlannedRun, RunOutcome>();
  const keep = (ended: readonly RunOutcome[]): void => {
    for (const outcome of ended) outcomes.set(outcome.run, outcome);
  };
  let alive = trials.filter(({ isBaseline }) => !isBaseline);
  for (const rung of rungsOf(halving, Math.max(...trials.map(({ epochs }) => epochs)))) {
    if (context.signal.aborted) break;
    const short = alive.filter(({ epochs }) => epochs > rung).flatMap((trial) => trial.runs);
    const due = await asyncFilter(short, async (run) => (await lastEpoch(run)) < rung);
    const ended = await runSweep(due, untilEpoch(rung, context));
    keep(ended.filter(({ status }) => status === 'failed' || status === 'stopped'));
    if (context.signal.aborted) break;
    const whole = alive.filter((trial) => trial.runs.every((run) => outcomes.get(run)?.status !== 'failed'));
    const survivors: Trial[] = [];
    for (const cell of new Set(whole.map((trial) => trial.cell))) {
      const own = whole.filter((trial) => trial.cell === cell);
      const scored = await Promise.all(own.map(async (trial) => ({ trial, score: await scoreAt(trial, rung) })));
      const { kept, pruned } = halve(scored, halving.factor);
      survivors.push(...kept.map(({ trial }) => trial));
      for (const [i, { trial, score }] of pruned.entries()) {
        const message = `after epoch ${rung}: ${(100 * score).toFixed(2)} % on validation, place ${kept.length + i + 1} of ${own.length}`;
        for (const run of trial.runs) {
          context.display.end(run.label, `pruned ${message}`);
          outcomes.set(run, { run, status: 'pruned', message, log: null, setAside: null });
        }
      }
    }
    alive = survivors;
  }
  const rest = runs.filter((run) => !outcomes.has(run));
  keep(await runSweep(rest, context));
  return runs.map((run) => outcomes.get(run)!);
}

/** Runs end after an epoch, and do not count as ended. */
const untilEpoch = (epoch: number, context: RunContext & { jobs: number }): RunContext & { jobs: number } => ({
  ...context,
  flags: [...context.flags, '--until', String(epoch)],
  display: {
    ...context.display,
    end: (label, outcome) =>
      outcome === 'failed' || outcome === 'stopped'
        ? context.display.end(label, outcome)
        : context.display.note(label, `trained until epoch ${epoch}`),
  },
});

const lastEpoch = async ({ directory }: PlannedRun): Promise<number> =>
  (await readEpochs(directory)).at(-1)?.epoch ?? 0;

/** Mean over the seeds at an epoch; of a run that was not evaluated then, at the last one before. */
async function scoreAt({ runs }: Trial, rung: number): Promise<number> {
  const scores = await Promise.all(
    runs.map(async ({ directory, label }) => {
      const evaluated = (await readEpochs(directory)).filter(({ epoch, validation }) => validation && epoch <= rung);
      if (evaluated.length === 0) throw searchBlind(`${label}: `);
      return evaluated.at(-1)!.validation!.balancedAccuracy;
    }),
  );
  return mean(scores);
}

async function asyncFilter<T>(items: readonly T[], wanted: (item: T) => Promise<boolean>): Promise<T[]> {
  const flags = await Promise.all(items.map(wanted));
  return items.filter((_, i) => flags[i]);
}
