import { randomUUID } from 'node:crypto';
import { type FileHandle, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { withLock } from '#lock';
import { makeFolder } from '#make-folder';
import { systemCure, TailmixError } from '../../errors.ts';
import { cacheNotWritten } from './errors.ts';

/** A temporary file that has not been written to for this long was left by a killed process. */
const ABANDONED_MS = 60 * 60 * 1000;

/** `<name>.<random UUID>.tmp`. */
const TEMPORARY = /\.[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}\.tmp$/;

/**
 * Writes a file that is either whole or not there: into a temporary one in the same folder, synced, then renamed. The
 * temporary file goes when `write` throws; what killed processes left goes an hour later.
 *
 * @throws {TailmixError} DATA_CACHE where the system refuses, and what `write` throws
 */
export async function writeAtomically(path: string, write: (file: FileHandle) => Promise<void>): Promise<void> {
  const folder = dirname(path);
  const temporary = `${path}.${randomUUID()}.tmp`;
  try {
    await makeFolder(folder);
    const file = await open(temporary, 'wx');
    try {
      await removeAbandoned(folder, (await file.stat()).mtimeMs);
      await write(file);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => {});
    throw systemCure(error) === null ? error : cacheNotWritten(path, error);
  }
}

/**
 * Makes a file that several processes may want at once: one does it, the others wait for it.
 *
 * @throws {TailmixError} DATA_CACHE where the system refuses, and what `make` throws
 */
export async function oneAtATime<T>(path: string, make: () => Promise<T>): Promise<T> {
  const lock = `${path}${PACKING_LOCK}`;
  try {
    return await withLock(lock, make);
  } catch (error) {
    throw error instanceof TailmixError || systemCure(error) === null ? error : cacheNotWritten(path, error);
  }
}

/** Behind the name of a file that is being made. */
export const PACKING_LOCK = '.lock';

/**
 * Whatever file they were for: after a source has changed its packed file has another name.
 *
 * @param now - by the clock of the file system, which need not be that of this machine
 */
async function removeAbandoned(folder: string, now: number): Promise<void> {
  for (const entry of await readdir(folder)) {
    if (!TEMPORARY.test(entry)) continue;
    const path = join(folder, entry);
    const writtenAt = await stat(path).then(
      ({ mtimeMs }) => mtimeMs,
      () => now,
    );
    if (now - writtenAt > ABANDONED_MS) await rm(path, { force: true });
  }
}
