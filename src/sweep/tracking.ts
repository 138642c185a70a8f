import { existsSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import process from 'node:process';
import { displayPath, internal, messageOf } from '../errors.ts';
import { pageFile } from '../report/page-file.ts';
import { writeFailed } from '../tracking/errors.ts';
import { isServer, type MlflowSettings, resolveSettings } from '../tracking/mlflow/settings.ts';
import { pagesOf } from '../tracking/spool/pages.ts';
import { hasSpool } from '../tracking/spool/read.ts';
import { spoolFiles } from '../tracking/spool/records.ts';
import { readSent } from '../tracking/spool/sent.ts';
import { syncRun } from '../tracking/spool/sync.ts';
import { openSpool, type SpoolWriter } from '../tracking/spool/write.ts';
import { SWEEP_VARIABLE, type SweepMembership } from '../tracking/sweep-membership.ts';
import type { PlannedRun } from './expand.ts';
import { sweepId } from './frozen.ts';
import { noResults, type SweepResults, sweepResults } from './results.ts';
import { isDone, type RunOutcome } from './run.ts';

/** The run that stands for a sweep: its runs make it, where they are tracked, and are parts of it. */
export interface SweepTracking {
  /** Tells a run what it is a part of. */
  env(run: PlannedRun): Record<string, string>;
  /** Where it is in MLflow, or will be; null where no server is named. */
  readonly address: string | null;
  /**
   * Gives it its end, its figures and its report, and sends them. Says where it is, and how to send what is missing; null without a server.
   *
   * @param results - of the runs that are done. Default: they are read.
   */
  end(outcomes: readonly RunOutcome[], isInterrupted: boolean, results?: SweepResults): Promise<string | null>;
}

/** Of a sweep's report, in its folder. */
const reportFiles = (name: string): string[] => [
  `report/${pageFile(name)}`,
  'report/results.md',
  'report/results.tex',
  'report/references.bib',
  'report/results.csv',
  'report/per-class.csv',
];

/** Goes on with the run of a sweep that was there before, or lets one be made. */
export async function trackSweep(name: string, out: string): Promise<SweepTracking> {
  const directory = resolve(out);
  const uid = await sweepId(directory);
  if (hasSpool(directory)) append(directory, (spool) => spool.write({ type: 'status', status: 'RUNNING' }));
  const server = environmentServer();
  const known = server && (await readSent(directory))[server.server];
  return {
    address: known ? (await pagesOf(directory, server.server, known)).run : (server?.server ?? null),
    env: ({ variation }) => ({
      [SWEEP_VARIABLE]: JSON.stringify({ directory, uid, name, variation } satisfies SweepMembership),
    }),
    async end(outcomes, isInterrupted, results) {
      if (!hasSpool(directory)) return null;
      const problem = await addEnd({ name, directory }, outcomes, isInterrupted, results);
      const sent = await send(directory, outcomes);
      return [problem, sent].filter((line) => line !== null).join('\n') || null;
    },
  };
}

async function addEnd(
  { name, directory }: { name: string; directory: string },
  outcomes: readonly RunOutcome[],
  isInterrupted: boolean,
  results?: SweepResults,
): Promise<string | null> {
  const done = outcomes.filter(isDone).map(({ run }) => run);
  let problem: string | null = null;
  const { figures, tags, params } =
    results ??
    (await sweepResults(done).catch((error: unknown) => {
      problem = `MLflow: the figures of the sweep are left out: ${messageOf(error)}`;
      return noResults;
    }));
  const count = (status: RunOutcome['status']): number => outcomes.filter((run) => run.status === status).length;
  append(directory, (spool) => {
    spool.tags({
      'tailmix.runs': String(outcomes.length),
      'tailmix.finished': String(done.length),
      'tailmix.failed': String(count('failed')),
      ...(count('pruned') > 0 && { 'tailmix.pruned': String(count('pruned')) }),
      ...tags,
    });
    spool.params(params);
    // A sweep that goes on has more runs at its next end.
    spool.metrics(done.length, figures);
    for (const file of reportFiles(name))
      if (existsSync(join(directory, file))) spool.write({ type: 'artifact', path: file, file });
    spool.write({ type: 'status', status: isInterrupted ? 'KILLED' : count('failed') > 0 ? 'FAILED' : 'FINISHED' });
    spool.flush();
  });
  return problem;
}

/** Adds lines to a spool that is there. */
function append(directory: string, write: (spool: SpoolWriter) => void): void {
  const spool = openSpool(
    directory,
    () => {
      throw internal('a spool without its first line');
    },
    (error) => {
      throw writeFailed(join(directory, spoolFiles.spool), error.cause);
    },
  );
  try {
    write(spool);
  } finally {
    spool.close();
  }
}

/** Servers that got some of it, or should have. */
async function send(directory: string, outcomes: readonly RunOutcome[]): Promise<string | null> {
  const environment = environmentServer();
  const known = Object.keys(await readSent(directory)).filter((server) => server !== environment?.server);
  const runs = outcomes.map(({ run }) => run.directory).filter(hasSpool);
  const pages: string[] = [];
  for (const settings of [...(environment ? [environment] : []), ...known.map((server) => resolveSettings(server))]) {
    const { server } = settings;
    let reason = 'it lacks some of its runs.';
    try {
      const synced = await syncRun(directory, { ...settings, retries: 0 });
      const complete = await Promise.all(runs.map((run) => isComplete(run, server)));
      if (complete.every(Boolean)) {
        const { run, experiment } = await pagesOf(directory, server, synced);
        pages.push(`MLflow: ${run}\n  all runs: ${experiment}`);
        continue;
      }
    } catch (error) {
      reason = messageOf(error);
    }
    const flag = settings === environment ? '' : ` --server ${server}`;
    return `MLflow does not have all of this sweep: ${reason}\nSend the rest: tailmix mlflow sync ${displayPath(directory)}${flag}`;
  }
  return pages.length > 0 ? pages.join('\n') : null;
}

/** The server that the environment names; null for none. */
function environmentServer(): MlflowSettings | null {
  const named = process.env.MLFLOW_TRACKING_URI ?? '';
  return isServer(named) ? resolveSettings(named) : null;
}

async function isComplete(directory: string, server: string): Promise<boolean> {
  const state = (await readSent(directory))[server];
  const { size } = await stat(join(directory, spoolFiles.spool));
  return state !== undefined && state.sent === size && state.postponed.length === 0;
}
