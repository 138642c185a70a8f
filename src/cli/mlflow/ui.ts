import { existsSync, statSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { displayPath, messageOf } from '../../errors.ts';
import { findMlflow, startLocalServer } from '../../tracking/local-server.ts';
import { type MlflowSettings, resolveSettings } from '../../tracking/mlflow/settings.ts';
import { isRun } from '../../tracking/run-directory.ts';
import { findSpools } from '../../tracking/spool/find.ts';
import { pagesOf } from '../../tracking/spool/pages.ts';
import { spoolFiles } from '../../tracking/spool/records.ts';
import { syncRun } from '../../tracking/spool/sync.ts';
import { watchInterrupts } from '../interrupt.ts';
import { print, printJson, tell } from '../output.ts';
import { sharedFolder } from '../report.ts';
import { writers } from './complete.ts';

/** Options of `tailmix mlflow ui`. */
export interface MlflowUiOptions {
  /** Default: 5000, or any free one where that is taken. */
  port?: number;
  /** Folder of the server's database and artifacts. Default: `.mlflow` in the folder of the runs. */
  store?: string;
  /** Print one JSON document on standard output, once the server listens. */
  json?: boolean;
}

const LOOK_AGAIN_MS = 3000;

/**
 * `tailmix mlflow ui`: starts MLflow's own server over runs, and goes on to send what they write until it is interrupted.
 *
 * @param paths - run directories, folders of them, or names.
 * @returns exit code: 0 when interrupted, 1 when the server ended by itself
 * @throws {TailmixError} of {@link findMlflow}, {@link startLocalServer} and {@link findSpools}.
 */
export async function mlflowUi(
  paths: readonly string[],
  { port, store, json = false }: MlflowUiOptions,
): Promise<number> {
  await findSpools(paths);
  const program = await findMlflow();
  const interruption = watchInterrupts('the server stops.');
  const { signal } = interruption;
  try {
    const folder = store ?? join(folderOf(paths), '.mlflow');
    tell(`MLflow starts over ${displayPath(folder)}; the first time it makes its tables, which takes a while.`);
    const server = await startLocalServer(program, folder, {
      ...(port === undefined ? {} : { port, isFixed: true }),
      signal,
    });
    let hasEnded = false;
    void server.ended.then(() => {
      hasEnded = true;
    });
    try {
      // Who may use other servers is no concern of this one.
      const experiments: string[] = [];
      const onPage = (page: string): unknown => (json ? experiments.push(page) : print(page));
      const send = follower(paths, resolveSettings(server.url, {}, folder), onPage);
      await send();
      if (!signal.aborted && json) printJson({ server: server.url, store: resolve(folder), experiments });
      else if (!signal.aborted) print(`${server.url}  (Ctrl-C ends it)`);
      while (!signal.aborted && !hasEnded) {
        await Promise.race([delay(LOOK_AGAIN_MS, undefined, { signal }).catch(() => {}), server.ended]);
        if (!signal.aborted && !hasEnded) await send();
      }
      if (!signal.aborted) tell(`MLflow ended. See ${displayPath(server.logFile)}.`);
      return signal.aborted ? 0 : 1;
    } finally {
      await server.stop();
    }
  } finally {
    interruption.stop();
  }
}

/** Where the runs lie: a path may be one of them, or the name of one below `runs`. */
const folderOf = (paths: readonly string[]): string =>
  sharedFolder(paths.map((path) => (existsSync(path) ? (isRun(path) ? dirname(resolve(path)) : path) : 'runs')));

/**
 * Sends what runs have written since it was last called, and tells the page of each experiment once; a problem of a run is told
 * once, until it writes again.
 */
function follower(
  paths: readonly string[],
  settings: MlflowSettings,
  onPage: (page: string) => void,
): () => Promise<void> {
  const sent = new Map<string, number>();
  const pages = new Set<string>();
  return async () => {
    for (const directory of await findSpools(paths).catch((): string[] => [])) {
      const size = statSync(join(directory, spoolFiles.spool), { throwIfNoEntry: false })?.size;
      if (size === undefined || sent.get(directory) === size) continue;
      try {
        const synced = await syncRun(directory, settings, writers);
        const { isRunning, remarks } = synced;
        const { experiment } = await pagesOf(directory, settings.server, synced);
        if (!pages.has(experiment)) onPage(experiment);
        pages.add(experiment);
        for (const remark of remarks) tell(`${displayPath(directory)}: ${remark}`);
        // What a run ends with when it is killed is written by whoever sends it next.
        if (!isRunning) sent.set(directory, statSync(join(directory, spoolFiles.spool)).size);
      } catch (error) {
        sent.set(directory, size);
        tell(`${displayPath(directory)}: ${messageOf(error)}`);
      }
    }
  };
}
