import { randomUUID } from 'node:crypto';
import { existsSync, lstatSync, readFileSync, rmSync, type Stats } from 'node:fs';
import { lstat, readFile, rename, rm, rmdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import process from 'node:process';
import { setTimeout as delay } from 'node:timers/promises';
import { withLock } from '#lock';
import { makeFolder } from '#make-folder';
import { type ProcessIdentity, thisProcess, type Whereabouts, whereaboutsOf } from '../util/process-identity.ts';
import { askSlurm, readSlurmJob, type SlurmAnswer, type SlurmJob, thisSlurmJob } from '../util/slurm-job.ts';
import { checkpointFolder } from './checkpoint.ts';
import { writeFailed } from './errors.ts';
import {
  directoryOwned,
  lockMovedAside,
  lockUnreadable,
  ownershipLost,
  takenFromEndedJob,
} from './ownership-errors.ts';
import { createFile, removeUnfinished } from './write-file.ts';

/** A process that owns a directory. */
export interface Owner extends ProcessIdentity {
  /** The job of Slurm that it is part of. */
  job: SlurmJob | null;
  /** When it took the directory, ISO 8601. */
  since: string;
  /** It lets go within moments: others wait for it, on other machines too. */
  brief: boolean;
  /** Unique. */
  id: string;
}

/** Sole right to write to a run directory, or to the folder of a sweep. */
export interface Ownership {
  /** Absolute. */
  readonly directory: string;
  /** What is said where the lock of a job that has ended was taken, or what is no lock was moved; null otherwise. */
  readonly taken: string | null;
  /**
   * Checks that it still holds.
   *
   * @throws {TailmixError} DIRECTORY_LOST when the folder is gone or someone else has taken it, LOCK_UNREADABLE.
   */
  confirm(): Promise<void>;
  release(): Promise<void>;
}

const POLL_MS = 100;
/** Each look may ask Slurm. */
const POLL_ELSEWHERE_MS = 500;
const BRIEF_MS = 60_000;

/** Ids of owners of this process that have let go, though their lock may still be there: a folder can come back with it. */
const released = new Set<string>();

/** File that names the owner of a directory. */
export const ownerFile = (directory: string): string => join(directory, 'owner.lock');

/**
 * Takes a directory, which is made where it is missing, until `release` or the end of the process. An owner on this
 * machine that is gone is replaced, and so is one elsewhere whose job has ended, as Slurm says. What killed writers left unfinished is removed.
 *
 * @param takeOver - Also take it from an owner that cannot be seen from here, on another machine or in another container, and
 *   where `owner.lock` is no lock: it is moved, or removed if it is empty.
 * @param brief - It is for moments only: others wait for this one.
 * @throws {TailmixError} DIRECTORY_OWNED, WRITE_FAILED
 */
export async function own(
  directory: string,
  { takeOver = false, brief = false }: { takeOver?: boolean; brief?: boolean } = {},
): Promise<Ownership> {
  const absolute = resolve(directory);
  const path = ownerFile(absolute);
  const self = { ...(await describeSelf()), brief };
  await makeFolder(absolute).catch((cause) => {
    throw writeFailed(absolute, cause);
  });
  let taken: string | null = null;
  let waited = { id: '', from: 0 };
  while (!(await place(path, self))) {
    const found = await readOwner(path);
    if (found === null) continue;
    if (isSame(found, self)) break;
    const { where, slurm } = await whereabouts(found);
    if (where !== 'gone' && typeof found !== 'string' && found.brief) {
      // By this machine's clock alone: that of another may differ.
      if (waited.id !== found.id) waited = { id: found.id, from: performance.now() };
      if (performance.now() - waited.from < BRIEF_MS) {
        await delay(where === 'here' ? POLL_MS : POLL_ELSEWHERE_MS);
        continue;
      }
    }
    if (where === 'here' || (where === 'elsewhere' && !takeOver)) throw directoryOwned(directory, found, where, slurm);
    const aside = await discard(path, found);
    if (typeof found === 'string') taken = aside && lockMovedAside(path, found, aside);
    else if (slurm?.state === 'ended') taken = takenFromEndedJob(directory, found, slurm);
  }
  const removeAtExit = (): void => {
    try {
      if (strangeness(lstatSync(path)) === null && isSame(parse(readFileSync(path, 'utf8')), self)) rmSync(path);
    } catch {}
  };
  process.on('exit', removeAtExit);
  for (const folder of [absolute, checkpointFolder(absolute)]) await removeUnfinished(folder);
  return {
    directory: absolute,
    taken,
    async confirm() {
      const found = await readOwner(path, (cause) => {
        throw lockUnreadable(path, cause);
      });
      if (isSame(found, self) || (found === null && (await place(path, self).catch(() => false)))) return;
      process.off('exit', removeAtExit);
      released.add(self.id);
      throw ownershipLost(directory, found);
    },
    async release() {
      process.off('exit', removeAtExit);
      released.add(self.id);
      // A lock that the system does not let us remove is soon one of a dead owner.
      if (isSame(await readOwner(path), self)) await rm(path, { force: true }).catch(() => {});
    },
  };
}

/** Whether a process owns a directory, as far as can be seen from here: one that cannot be seen counts. */
export async function isOwned(directory: string): Promise<boolean> {
  const found = await readOwner(ownerFile(directory));
  return found !== null && (await whereabouts(found)).where !== 'gone';
}

/** Waits until nobody owns a directory, or until the time is over or the signal aborts. */
export async function untilFree(directory: string, milliseconds: number, signal: AbortSignal): Promise<void> {
  const end = performance.now() + milliseconds;
  while (performance.now() < end && !signal.aborted && (await ownedHere(directory))) await delay(POLL_MS);
}

async function ownedHere(directory: string): Promise<boolean> {
  const found = await readOwner(ownerFile(directory));
  return found !== null && typeof found !== 'string' && (await whereaboutsSeen(found)) === 'here';
}

async function describeSelf(): Promise<Omit<Owner, 'brief'>> {
  return { ...(await thisProcess()), job: thisSlurmJob(), since: new Date().toISOString(), id: randomUUID() };
}

/** Puts a lock where there is none. */
const place = (path: string, owner: Owner): Promise<boolean> => createFile(path, `${JSON.stringify(owner)}\n`);

/**
 * Removes the lock of an owner; one process at a time, and only if it is still the one that was found. What is no lock and holds
 * something is moved.
 *
 * @returns where that is now; null where nothing was moved
 */
const discard = (path: string, owner: Found): Promise<string | null> =>
  withLock(`${path}.taking-over`, async () => {
    if (!isSame(await readOwner(path), owner)) return null;
    try {
      if (typeof owner !== 'string' || owner === EMPTY) await rm(path, { force: true });
      else return await moveAside(path);
    } catch (cause) {
      throw writeFailed(path, cause);
    }
    return null;
  });

async function moveAside(path: string): Promise<string | null> {
  const isEmptyFolder = await rmdir(path).then(
    () => true,
    () => false,
  );
  if (isEmptyFolder) return null;
  let number = 1;
  while (existsSync(`${path}.aside-${number}`)) number++;
  const aside = `${path}.aside-${number}`;
  await rename(path, aside);
  return aside;
}

/** What a lock says; of one that says nothing, what is the matter with it: `is a folder`. */
export type Found = Owner | string;

const UNREADABLE = 'cannot be read';
const EMPTY = 'is empty';
const LARGEST_LOCK = 65_536;

const isSame = (found: Found | null, owner: Found): boolean =>
  typeof found === 'string' || typeof owner === 'string' ? found === owner : found?.id === owner.id;

/** Why a thing is no lock; null for a file that may be one. Nothing else is opened: a pipe would wait for its other end. */
function strangeness(stats: Stats): string | null {
  if (stats.isDirectory()) return 'is a folder';
  if (stats.isSymbolicLink()) return 'is a symbolic link';
  if (!stats.isFile()) return 'is no file';
  if (stats.size === 0) return EMPTY;
  return stats.size > LARGEST_LOCK ? 'is too large for a lock' : null;
}

function parse(text: string): Found {
  try {
    const owner = JSON.parse(text) as Owner;
    const isOwner = Number.isSafeInteger(owner?.pid) && owner.pid > 0 && typeof owner.host === 'string';
    return isOwner ? { ...owner, job: readSlurmJob(owner.job) } : UNREADABLE;
  } catch {
    return UNREADABLE;
  }
}

/**
 * Null where there is no lock.
 *
 * @param onRefused - what a lock is that the system does not let us read
 */
async function readOwner(path: string, onRefused: (error: unknown) => Found = () => UNREADABLE): Promise<Found | null> {
  try {
    return strangeness(await lstat(path)) ?? parse(await readFile(path, 'utf8'));
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ENOENT' ? null : onRefused(error);
  }
}

/** As far as can be seen from here. */
const whereaboutsSeen = async (owner: Owner): Promise<Whereabouts> =>
  released.has(owner.id) ? 'gone' : whereaboutsOf(owner);

/** `slurm`: what it says of the job of an owner that cannot be seen from here; null where nobody is asked. */
async function whereabouts(owner: Found): Promise<{ where: Whereabouts; slurm: SlurmAnswer | null }> {
  if (typeof owner === 'string') return { where: 'elsewhere', slurm: null };
  const where = await whereaboutsSeen(owner);
  if (where !== 'elsewhere' || owner.job === null) return { where, slurm: null };
  const slurm = await askSlurm(owner.job);
  return { where: slurm.state === 'ended' ? 'gone' : 'elsewhere', slurm };
}
