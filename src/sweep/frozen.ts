import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { stringify } from 'yaml';
import { z } from 'zod';
import { makeFolder } from '#make-folder';
import { loadConfig } from '../config/load.ts';
import type { ConfigContext } from '../config/resolve.ts';
import { messageOf } from '../errors.ts';
import { own } from '../tracking/ownership.ts';
import { hasSpool, readSpoolRun } from '../tracking/spool/read.ts';
import { createFile, writeFileAtomic } from '../tracking/write-file.ts';
import { frozenDamaged } from './errors.ts';
import type { PlannedRun } from './expand.ts';

const frozenRun = z.object({
  /** Name of its directory in the folder of the sweep. */
  id: z.string(),
  label: z.string(),
  variation: z.string(),
  hash: z.string(),
});

const frozenSweep = z.object({
  /** Drawn once: the sweep as a run of its own that its runs are part of. */
  id: z.string(),
  name: z.string(),
  backend: z.string(),
  /** Of each run: the number of threads decides bits. */
  threads: z.int().positive(),
  dataRoot: z.string().nullable(),
  runs: z.array(frozenRun).min(1),
  /** What was part of it when it was frozen before: a job may still wait to train one. */
  former: z.array(frozenRun),
});

/** A sweep as its jobs see it, whatever becomes of its files. */
export type FrozenSweep = z.output<typeof frozenSweep>;
export type FrozenRun = z.output<typeof frozenRun>;

/** What is frozen besides the runs. */
export type FrozenSettings = Pick<FrozenSweep, 'name' | 'backend' | 'dataRoot'> & {
  /** Null: as before, or `defaultThreads`. */
  threads: number | null;
  defaultThreads: number;
};

/** Folder, in that of a sweep, of what is frozen and of its jobs. */
export const frozenFolder = (out: string): string => join(out, 'sweep');
const sweepFile = (out: string): string => join(frozenFolder(out), 'sweep.json');
const configFile = (out: string, id: string): string => join(frozenFolder(out), 'configs', `${id}.yaml`);

/**
 * The frozen sweep of a folder; null where there is none.
 *
 * @throws {TailmixError} SWEEP_DAMAGED
 */
export async function readFrozen(out: string): Promise<FrozenSweep | null> {
  const path = sweepFile(out);
  if (!existsSync(path)) return null;
  try {
    return frozenSweep.parse(JSON.parse(await readFile(path, 'utf8')));
  } catch (error) {
    throw frozenDamaged(path, error instanceof z.ZodError ? z.prettifyError(error) : messageOf(error), error);
  }
}

/** Identity of a sweep as a run of its own: as tracked before, as frozen before, or drawn. */
export const sweepId = async (out: string): Promise<string> =>
  hasSpool(out) ? (await readSpoolRun(out)).uid : ((await readFrozen(out))?.id ?? randomUUID());

/** A sweep as it would be frozen: with the id and the threads of before, where there are any. */
export async function frozenOf(
  out: string,
  runs: readonly PlannedRun[],
  { threads, defaultThreads, ...settings }: FrozenSettings,
): Promise<FrozenSweep> {
  const before = await readFrozen(out);
  const now = runs.map(({ directory, label, variation, hash }) => ({
    id: basename(directory),
    label,
    variation,
    hash,
  }));
  const former = [...(before?.runs ?? []), ...(before?.former ?? [])];
  return {
    id: await sweepId(resolve(out)),
    ...settings,
    threads: threads ?? before?.threads ?? defaultThreads,
    runs: now,
    former: former.filter((run) => !now.some(({ id: own }) => own === run.id)),
  };
}

/**
 * Writes the grid of a sweep and the config of each run into the sweep's folder. Of several processes that freeze a sweep for the first
 * time, the first one does.
 *
 * @param isFirst - keep what another process has frozen
 * @returns what is frozen now
 */
export async function freeze(
  out: string,
  sweep: FrozenSweep,
  runs: readonly PlannedRun[],
  { context, isFirst = false }: { context: ConfigContext; isFirst?: boolean },
): Promise<FrozenSweep> {
  await makeFolder(join(frozenFolder(out), 'configs'));
  for (const [place, { configs, set }] of runs.entries()) {
    const { resolved } = await loadConfig(configs, { ...context, set });
    await createFile(configFile(out, sweep.runs[place]!.id), stringify(resolved));
  }
  const text = `${JSON.stringify(sweep, null, 2)}\n`;
  if (!(await createFile(sweepFile(out), text)) && !isFirst && text !== (await readFile(sweepFile(out), 'utf8'))) {
    const ownership = await own(out, { brief: true });
    try {
      await writeFileAtomic(sweepFile(out), text);
    } finally {
      await ownership.release();
    }
  }
  return (await readFrozen(out))!;
}

/** A frozen run as one that can be trained. */
export const plannedOf = (out: string, { id, label, variation, hash }: FrozenRun): PlannedRun => ({
  label,
  variation,
  configs: [configFile(out, id)],
  set: [],
  directory: join(out, id),
  hash,
});

/** A run by its id or its number in the grid, also one of a grid that was frozen before; undefined for none. */
export const findFrozen = ({ runs, former }: FrozenSweep, wanted: string): FrozenRun | undefined =>
  [...runs, ...former].find(({ id }) => id === wanted) ?? (/^\d+$/.test(wanted) ? runs[Number(wanted)] : undefined);
