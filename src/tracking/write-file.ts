import { createHash, randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { appendFile, link, mkdir, open, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { basename, dirname, join } from 'node:path';
import process from 'node:process';
import { isAlive } from '#lock';
import { writeFailed } from './errors.ts';

/** Marks files that are being written; one that is left was cut short by a crash. */
export const UNFINISHED = '.unfinished';

/** Removes all unfinished files of a folder that nobody else writes to. */
export async function removeUnfinished(folder: string): Promise<void> {
  const names = await readdir(folder).catch(() => []);
  for (const name of names)
    if (name.startsWith('.') && name.endsWith(UNFINISHED))
      await rm(join(folder, name), { force: true }).catch(() => {});
}

/**
 * Makes a folder of a run where it is missing. The run directory has to be there: one that was moved away in the middle of a
 * run is not made again.
 */
export async function makeInRun(folder: string): Promise<void> {
  await mkdir(folder).catch(async (error: unknown) => {
    const found = await stat(folder).catch(() => null);
    if (!found?.isDirectory()) throw error;
  });
}

/** What the temporary files of a path are called that are written on this host: several may share a folder. */
const startOf = (path: string): string => `.${basename(path)}.${hostname()}.`;

/** Removes what writers of a file left that are gone. */
async function removeLeftOf(path: string): Promise<void> {
  const start = startOf(path);
  for (const name of await readdir(dirname(path))) {
    if (!name.startsWith(start) || !name.endsWith(UNFINISHED)) continue;
    const pid = Number(name.slice(start.length, -UNFINISHED.length));
    if (Number.isSafeInteger(pid) && !isAlive(pid)) await rm(join(dirname(path), name), { force: true });
  }
}

/**
 * Writes a file so that a crash leaves either the old one or the new one, whole: a temporary file in the same folder,
 * flushed to disk, read back and compared, then renamed; the folder is flushed too. What killed writers of the file left
 * is removed.
 *
 * @param content - text, or parts that are written one after the other
 * @throws {TailmixError} WRITE_FAILED; the file that was there is as it was.
 */
export async function writeFileAtomic(path: string, content: string | readonly Uint8Array[]): Promise<void> {
  const parts = typeof content === 'string' ? [content] : content;
  const folder = dirname(path);
  const temporary = join(folder, `${startOf(path)}${process.pid}${UNFINISHED}`);
  try {
    await removeLeftOf(path);
    const file = await open(temporary, 'w');
    try {
      for (const part of parts) await file.writeFile(part);
      await file.sync();
    } finally {
      await file.close();
    }
    if ((await hashOf(createReadStream(temporary))) !== (await hashOf(parts))) throw new Error(READ_BACK);
    await rename(temporary, path);
    await syncFolder(folder);
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => {});
    throw writeFailed(path, error);
  }
}

const READ_BACK = 'what was written reads back as something else';

async function hashOf(parts: AsyncIterable<Uint8Array> | Iterable<string | Uint8Array>): Promise<string> {
  const hash = createHash('sha256');
  for await (const part of parts) hash.update(part);
  return hash.digest('hex');
}

/**
 * Makes a file where there is none, whole from its first moment on: by a link, which file systems make once, NFS too.
 *
 * @returns whether it was made
 * @throws {TailmixError} WRITE_FAILED
 */
export async function createFile(path: string, text: string): Promise<boolean> {
  const temporary = join(dirname(path), `.${basename(path)}.${randomUUID()}${UNFINISHED}`);
  try {
    for (let made = false; !made; ) {
      await writeFile(temporary, text, { flush: true });
      made = await link(temporary, path).then(
        () => true,
        async (error: NodeJS.ErrnoException) => {
          // A new owner of the folder has removed the temporary file.
          if (error.code === 'ENOENT') return false;
          if (!LINKLESS.has(error.code ?? '')) throw error;
          await writeFile(path, text, { flag: 'wx', flush: true });
          return true;
        },
      );
    }
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw writeFailed(path, error);
  } finally {
    await rm(temporary, { force: true }).catch(() => {});
  }
}

/** What file systems without links say. */
const LINKLESS = new Set(['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK']);

/**
 * Adds to the end of a file, flushed to disk.
 *
 * @throws {TailmixError} WRITE_FAILED
 */
export const appendToFile = (path: string, text: string): Promise<void> =>
  appendFile(path, text, { flush: true }).catch((cause) => {
    throw writeFailed(path, cause);
  });

/** Makes a rename last through a power cut. Some systems cannot open a folder; there the rename has to do. */
async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r').catch(() => null);
  try {
    await handle?.sync().catch(() => {});
  } finally {
    await handle?.close();
  }
}
