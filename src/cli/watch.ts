import { existsSync, statSync } from 'node:fs';
import { basename, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { displayPath } from '../errors.ts';
import { renderLive, statusOf } from '../report/live/page.ts';
import { type LiveRun, readLive } from '../report/live/runs.ts';
import { serveLive } from '../report/live/server.ts';
import { isOwned } from '../tracking/ownership.ts';
import { findRun } from '../tracking/run-directory.ts';
import { observers } from './context.ts';
import { nothingToWatch, portTaken } from './errors.ts';
import { INTERRUPTED, watchInterrupts } from './interrupt.ts';
import { commandLine, tellNext } from './next.ts';
import { print, printJson } from './output.ts';

/** Options of `tailmix watch`. */
export interface WatchCommandOptions {
  /** Default: any that is free. */
  port?: number;
  /** Print the address as one JSON document, and nothing at the end. */
  json?: boolean;
}

/** How often the files of the runs are looked at. */
const EVERY_MS = 1000;
/** Drawing takes a tenth of one core at most, since the runs need them. */
const SHARE = 10;

/**
 * `tailmix watch`: serves the report of a run or a sweep as it stands, until that has ended.
 *
 * @param wanted - a run, by its directory or name, or the folder of a sweep
 * @throws {TailmixError} RUN_MISSING, WATCH_ENDED, WATCH_PORT
 */
export async function watch(wanted: string, { port = 0, json = false }: WatchCommandOptions = {}): Promise<number> {
  const isFolder = existsSync(wanted) && statSync(wanted).isDirectory();
  const folder = isFolder ? resolve(wanted) : await findRun(wanted);
  let runs = await readLive(folder);
  if (!(await isGoingOn(folder, runs))) throw nothingToWatch(displayPath(folder));
  const title = basename(folder);
  const server = await serveLive(await renderLive(title, runs, observers), port).catch((error) => {
    throw portTaken(port, error);
  });
  const interruption = watchInterrupts('the page is closed; the runs go on.');
  if (json) printJson({ address: server.address });
  else print(server.address);
  try {
    let seen = keyOf(runs);
    for (let isOver = false; !isOver && !interruption.signal.aborted; ) {
      await delay(EVERY_MS, undefined, { signal: interruption.signal }).catch(() => {});
      isOver = !(await isGoingOn(folder, runs));
      runs = await readLive(folder, runs);
      const key = keyOf(runs);
      if (key === seen) continue;
      seen = key;
      const begun = performance.now();
      server.update(await renderLive(title, runs, observers));
      const rest = isOver ? 0 : (SHARE - 1) * (performance.now() - begun);
      await delay(rest, undefined, { signal: interruption.signal }).catch(() => {});
    }
    const word = interruption.signal.aborted ? 'No longer watched.' : 'Ended.';
    await server.end(`${word} ${statusOf(runs)}`);
  } finally {
    interruption.stop();
  }
  if (interruption.signal.aborted) return INTERRUPTED;
  if (!json) print(statusOf(runs));
  tellNext([commandLine('report', displayPath(folder)), 'tables and charts of what there is']);
  return 0;
}

/** Whether anybody trains in a folder: a run, or a sweep that may begin another. */
const isGoingOn = async (folder: string, runs: readonly LiveRun[]): Promise<boolean> =>
  runs.some(({ state }) => state === 'running') || (await isOwned(folder));

/** Changes when what is shown does. */
const keyOf = (runs: readonly LiveRun[]): string =>
  runs.map(({ directory, state, epoch }) => `${directory} ${state} ${epoch}`).join('\n');
