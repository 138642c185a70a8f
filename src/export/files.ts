import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readdir, readFile, realpath, rename, rm, rmdir, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { z } from 'zod';
import { makeFolder } from '#make-folder';
import { displayPath, TailmixError } from '../errors.ts';
import { exportExists, exportNotWritten, notAnExport } from './errors.ts';

/** The file that says what an export is. */
export const RECORD = 'classes.json';

/** A file of an export. */
export interface ExportedFile {
  /** Relative, without folders above. */
  path: string;
  content: Uint8Array | string;
}

/** What the record of an export says of its files. */
const record = z.object({ tailmix: z.string(), files: z.array(z.string()) });

/**
 * Checks that a folder is free, or, with `force`, that it holds an export and nothing else.
 *
 * @throws {TailmixError} EXPORT_EXISTS
 */
export async function expectFree(folder: string, force = false): Promise<void> {
  if (!existsSync(folder)) return;
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => null);
  if (entries?.length === 0) return;
  if (!force || entries === null) throw exportExists(displayPath(folder));
  const known = record.safeParse(
    await readFile(join(folder, RECORD), 'utf8')
      .then(JSON.parse)
      .catch(() => null),
  );
  if (!known.success) throw notAnExport(displayPath(folder), `no ${RECORD} that tailmix wrote`);
  const others = entries.filter((entry) => !entry.isFile() || ![RECORD, ...known.data.files].includes(entry.name));
  if (others.length > 0) throw notAnExport(displayPath(folder), others.map(({ name }) => name).join(', '));
}

/**
 * Writes all files beside the folder and moves them there at once: a folder that exists is whole. With `force` an export
 * that is there is moved aside first, and goes when the new one is in its place.
 *
 * @throws {TailmixError} EXPORT_EXISTS, EXPORT_NOT_WRITTEN
 */
export async function writeFolder(wanted: string, files: readonly ExportedFile[], force = false): Promise<void> {
  const folder = await realpath(wanted).catch(() => wanted);
  const aside = (): string => join(dirname(folder), `.${basename(folder)}-${randomUUID()}`);
  const temporary = aside();
  try {
    await makeFolder(temporary);
    for (const { path, content } of files) await writeFile(join(temporary, path), content, { flush: true });
    await expectFree(folder, force);
    await rmdir(folder).catch(() => {});
    const former = existsSync(folder) ? aside() : null;
    if (former !== null) await rename(folder, former);
    await rename(temporary, folder).catch(async (error: unknown) => {
      if (former !== null) await rename(former, folder);
      throw error;
    });
    if (former !== null) await rm(former, { recursive: true });
  } catch (error) {
    await rm(temporary, { recursive: true, force: true }).catch(() => {});
    throw error instanceof TailmixError ? error : exportNotWritten(displayPath(folder), error);
  }
}
