import process from 'node:process';
import { displayPath, messageOf, TailmixError } from '../../errors.ts';
import { resolveSettings } from '../../tracking/mlflow/settings.ts';
import { type Destination, experimentDestination } from '../../tracking/spool/attach.ts';
import { findSpools } from '../../tracking/spool/find.ts';
import { pagesOf } from '../../tracking/spool/pages.ts';
import { readSent } from '../../tracking/spool/sent.ts';
import { type Synced, syncRun } from '../../tracking/spool/sync.ts';
import { noMlflowServer } from '../errors.ts';
import { print, printJson, tell } from '../output.ts';
import { writers } from './complete.ts';

/** Options of `tailmix mlflow sync`. */
export interface MlflowSyncOptions {
  server?: string;
  experiment?: string;
  json?: boolean;
}

/** What became of a run. */
type Outcome = { directory: string; url: string | null } & (Synced | { problem: string });

/** `tailmix mlflow sync`: sends runs, the later ones too when one fails. */
export async function mlflowSync(
  paths: readonly string[],
  { server, experiment, json = false }: MlflowSyncOptions,
): Promise<number> {
  const directories = await findSpools(paths);
  const destination: Destination = experiment === undefined ? experimentDestination() : { experiment };
  const outcomes: Outcome[] = [];
  const experiments = new Set<string>();
  for (const directory of directories) {
    const settings = resolveSettings(await serverFor(directory, server));
    try {
      const synced = await syncRun(directory, settings, { destination, ...writers });
      const { run: url, experiment } = await pagesOf(directory, settings.server, synced);
      experiments.add(experiment);
      outcomes.push({ directory, url, ...synced });
      for (const remark of synced.remarks) tell(`${displayPath(directory)}: ${remark}`);
      if (!json) print(`${displayPath(directory)}  ${url}${synced.isRunning ? '  (still running)' : ''}`);
    } catch (error) {
      if (!(error instanceof TailmixError)) throw error;
      outcomes.push({ directory, url: null, problem: error.message });
      tell(`${displayPath(directory)}: ${messageOf(error)}`);
    }
  }
  if (json) printJson(outcomes);
  else for (const page of experiments) print(`all runs  ${page}`);
  return outcomes.some((outcome) => 'problem' in outcome) ? 1 : 0;
}

/** The server that is asked for, that of the environment, or the one that has a part of the run. */
async function serverFor(directory: string, wanted: string | undefined): Promise<string> {
  const named = wanted ?? process.env.MLFLOW_TRACKING_URI;
  if (named) return named;
  const known = Object.keys(await readSent(directory));
  if (known.length !== 1) throw noMlflowServer(known);
  return known[0]!;
}
