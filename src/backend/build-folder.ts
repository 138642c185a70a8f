import { readdir, rename, rm, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import process from 'node:process';
import { withLock } from '#lock';
import { makeFolder } from '#make-folder';
import { TailmixError } from '../errors.ts';
import { cacheUnusable, diskFull } from './errors.ts';

/** A folder of the cache that set-up makes. */
export interface BuildFolder<Made> {
  folder: string;
  /** The cache, which holds the folder. */
  root: string;
  /** Room that it needs at most while it is made, in MB (10⁶ bytes). */
  neededMb: number;
  /** What is there already, made by whoever held the lock before; null: nothing that is whole. */
  ready(): Made | null;
  /** Fills the folder `work`; the last file that it writes says that the build is complete. */
  make(work: string): Promise<Made>;
  onStage(stage: string): void;
}

/**
 * Makes a folder aside and moves it in place at the end, so that a set-up that is killed leaves nothing half valid; two at once
 * wait for each other.
 *
 * @throws {TailmixError} CACHE_UNUSABLE, DISK_FULL; what `make` throws
 */
export async function makeBuild<Made>({
  folder,
  root,
  neededMb,
  ready,
  make,
  onStage,
}: BuildFolder<Made>): Promise<Made> {
  const build = async (): Promise<Made> => {
    const there = ready();
    if (there !== null) return there;
    await removeLeftovers(root);
    const work = `${folder}.building-${process.pid}`;
    try {
      const made = await make(work);
      await rename(folder, `${folder}.old-${process.pid}`).catch(ifThere);
      await rename(work, folder);
      return made;
    } finally {
      await removeLeftovers(root);
    }
  };
  try {
    await makeFolder(root);
    await requireRoom(root, neededMb);
    return await withLock(join(root, 'setup.lock'), build, { onWait: () => onStage('waiting for another set-up') });
  } catch (error) {
    if (error instanceof TailmixError || (error as NodeJS.ErrnoException).syscall === undefined) throw error;
    throw cacheUnusable(root, error);
  }
}

function ifThere(error: NodeJS.ErrnoException): void {
  if (error.code !== 'ENOENT') throw error;
}

/** Folders that a killed set-up left, or that a new build replaced; called by the holder of the lock only. */
async function removeLeftovers(root: string): Promise<void> {
  for (const entry of await readdir(root)) {
    if (/\.(building|old)-\d+$/.test(entry)) await rm(join(root, entry), { recursive: true, force: true });
  }
}

async function requireRoom(root: string, neededMb: number): Promise<void> {
  const { bavail, bsize } = await statfs(root);
  const freeMb = Math.floor((bavail * bsize) / 1e6);
  if (freeMb < neededMb) throw diskFull(root, neededMb, freeMb);
}
