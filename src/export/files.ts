import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readdir, rename, rm, rmdir, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { makeFolder } from '#make-folder';
import { displayPath, TailmixError } from '../errors.ts';
import { exportExists, exportNotWritten } from './errors.ts';

/** A file of an export. */
export interface ExportedFile {
  /** Relative, without folders above. */
  path: string;
  content: Uint8Array | string;
}

/**
 * Checks that a folder is free, before anything is computed for it.
 *
 * @throws {TailmixError} EXPORT_EXISTS
 */
export async function expectFree(folder: string): Promise<void> {
  if (existsSync(folder) && (await readdir(folder).catch(() => ['a file'])).length > 0) {
    throw exportExists(displayPath(folder));
  }
}

/**
 * Writes all files beside the folder and moves them there at once: a folder that exists is whole.
 *
 * @throws {TailmixError} EXPORT_EXISTS, EXPORT_NOT_WRITTEN
 */
export async function writeFolder(folder: string, files: readonly ExportedFile[]): Promise<void> {
  const temporary = join(dirname(folder), `.${basename(folder)}-${randomUUID()}`);
  try {
    await makeFolder(temporary);
    for (const { path, content } of files) await writeFile(join(temporary, path), content, { flush: true });
    await expectFree(folder);
    await rmdir(folder).catch(() => {});
    await rename(temporary, folder);
  } catch (error) {
    await rm(temporary, { recursive: true, force: true }).catch(() => {});
    throw error instanceof TailmixError ? error : exportNotWritten(displayPath(folder), error);
  }
}
