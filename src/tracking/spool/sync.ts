import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { messageOf, TailmixError } from '../../errors.ts';
import { createMlflowClient } from '../mlflow/client.ts';
import type { MlflowSettings } from '../mlflow/settings.ts';
import { isOwned, own } from '../ownership.ts';
import { isRun, readSummary } from '../run-directory.ts';
import type { Destination } from './attach.ts';
import { whileSending } from './locks.ts';
import { readSpool } from './read.ts';
import type { RecordOf, SpoolRecord } from './records.ts';
import { createSender } from './send.ts';
import { openSpool } from './write.ts';

/** Where a run is on a server once it was sent. */
export interface Synced {
  experimentId: string;
  runId: string;
  /** Whether the run was going on meanwhile: what comes later is not there yet. */
  isRunning: boolean;
  /** What the server did not take, and why. */
  remarks: string[];
}

/** How a run is sent. */
export interface SyncOptions {
  /** Where it belongs on the server. Default: as its spool says. */
  destination?: Destination;
  /** Writes the report of a run that has none, and returns its files. Default: none is added. */
  writeReport?: (runDirectory: string) => Promise<string[]>;
  /** Exports the trained model of a run to a folder for MLflow. Default: a model that was not exported is listed without. */
  writeModel?: (runDirectory: string, folder: string) => Promise<unknown>;
}

/**
 * Sends what a server does not have of a run. A run whose process was killed gets its end at the time of its last line:
 * `KILLED`, or `FINISHED` where its summary says so.
 *
 * @throws {MlflowError}
 * @throws {TailmixError} SPOOL_MISSING, SPOOL_DAMAGED, MLFLOW_RUN_DELETED
 */
export async function syncRun(
  runDirectory: string,
  settings: MlflowSettings,
  { destination = {}, ...writers }: SyncOptions = {},
): Promise<Synced> {
  const remarks: string[] = [];
  const isRunning = !(await completeSpool(runDirectory, writers, (remark) => remarks.push(remark)));
  const client = createMlflowClient(settings);
  try {
    const sender = createSender(runDirectory, { client, destination, onRemark: (remark) => remarks.push(remark) });
    const { experimentId, runId } = await whileSending(runDirectory, () => sender.send());
    return { experimentId, runId, isRunning, remarks };
  } finally {
    await client.close();
  }
}

/**
 * Adds to a run that is over what is still missing: its end, if it was killed, its report, and the export of its model.
 *
 * @returns whether the run is over.
 * @throws {TailmixError} SPOOL_MISSING, SPOOL_DAMAGED
 */
export async function completeSpool(
  runDirectory: string,
  { writeReport, writeModel }: Pick<SyncOptions, 'writeReport' | 'writeModel'>,
  onRemark: (remark: string) => void,
): Promise<boolean> {
  if (await isOwned(runDirectory)) return false;
  const lackingNow = () =>
    lackingIn(runDirectory, { withReport: writeReport !== undefined, withModel: writeModel !== undefined });
  if ((await lackingNow()) === null) return true;
  const ownership = await own(runDirectory, { brief: true }).catch((error: unknown) => {
    if (error instanceof TailmixError && error.code === 'DIRECTORY_OWNED') return null;
    throw error;
  });
  if (ownership === null) return false;
  if (ownership.taken !== null) onRemark(ownership.taken);
  try {
    const lacking = await lackingNow();
    if (lacking === null) return true;
    // A full disk may have taken the end of a run from its spool.
    const summary = await readSummary(runDirectory).catch(() => null);
    const status = summary?.status === 'finished' ? 'FINISHED' : 'KILLED';
    const end = lacking.endedAt === null ? null : ({ type: 'status', status, time: lacking.endedAt } as const);
    if (lacking.model !== null) {
      await writeModel?.(runDirectory, lacking.model).catch((error: unknown) => {
        onRemark(`the model cannot be loaded in MLflow: ${messageOf(error)}`);
      });
    }
    addTo(runDirectory, end, lacking.report ? await writeReport?.(runDirectory) : []);
    return true;
  } finally {
    await ownership.release();
  }
}

/** What the spool of a run that is over lacks. */
interface Lacking {
  /** Time of the last line of a run without an end; null where it has one. */
  endedAt: number | null;
  report: boolean;
  /** Folder of the model's export; null where it is there or none is listed. */
  model: string | null;
}

async function lackingIn(
  runDirectory: string,
  { withReport, withModel }: { withReport: boolean; withModel: boolean },
): Promise<Lacking | null> {
  let last: SpoolRecord | undefined;
  let status: SpoolRecord | undefined;
  let hasReport = false;
  let folder: string | undefined;
  for await (const { record } of readSpool(runDirectory)) {
    if (!record) continue;
    last = record;
    if (record.type === 'status') status = record;
    if (record.type === 'artifact' && record.path.startsWith('report/')) hasReport = true;
    if (record.type === 'model') folder = record.folder;
  }
  const isOver = status?.type === 'status' && status.status !== 'RUNNING';
  const report = withReport && !hasReport && isRun(runDirectory);
  const isExported = folder === undefined || existsSync(join(runDirectory, folder));
  const model = withModel && !isExported ? folder! : null;
  if (!last || (isOver && !report && model === null)) return null;
  return { endedAt: isOver ? null : last.time, report, model };
}

function addTo(runDirectory: string, end: RecordOf<'status'> | null, report: readonly string[] = []): void {
  const spool = openSpool(
    runDirectory,
    () => {
      throw new Error('unreachable: the spool has a first line');
    },
    (error) => {
      throw error;
    },
  );
  try {
    if (end !== null) spool.write(end);
    for (const file of report) spool.write({ type: 'artifact', path: file, file });
  } finally {
    spool.close();
  }
}
