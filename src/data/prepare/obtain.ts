import { createWriteStream } from 'node:fs';
import { open, readdir, rename, rm, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { downloadFromMirrors, isIntact, type OnBytes, type Patience } from '../../download/download.ts';
import { isNotWritten } from '../../download/errors.ts';
import { messageOf, TailmixError } from '../../errors.ts';
import { openZip } from '../../util/zip.ts';
import { archiveDamaged, describeCheck, fromMissing, fromWrong, notFetched } from './errors.ts';
import type { Archive } from './source.ts';

/** A checked archive on this machine. */
export interface Obtained {
  path: string;
  /** Address or path that it came from. */
  origin: string;
  /** Whether it was put into the folder of downloads, and goes after use. */
  temporary: boolean;
}

/** Where archives come from, and how to tell about it. */
export interface ObtainOptions {
  /** Folder that downloads go to. */
  downloads: string;
  /** Folders on servers that are asked before the published addresses. */
  mirrors?: readonly string[];
  patience?: Patience;
  onStage: (stage: string) => void;
  onBytes: OnBytes;
}

/** Fetches an archive, or takes the one that an earlier call fetched. */
export async function fetchArchive(
  archive: Archive,
  { downloads, mirrors = [], patience, onStage, onBytes }: ObtainOptions,
): Promise<Obtained> {
  const path = join(downloads, archive.file);
  const urls = [...mirrors.map((base) => new URL(archive.file, base.replace(/\/*$/, '/')).href), ...archive.urls];
  const origin = await downloadFromMirrors(urls, archive, path, {
    onBytes,
    onMirror: (url) => onStage(`fetching ${url}`),
    ...(patience && { patience }),
  }).catch((error: unknown) => {
    const mayBeElsewhere = error instanceof TailmixError && !isNotWritten(error);
    throw mayBeElsewhere ? notFetched(archive.file, error.message, error) : error;
  });
  return { path, origin, temporary: true };
}

/**
 * The archives that a path of the user holds: one of them, a folder with some, or a zip file with one in it (as CINIC-10
 * is offered too). Nothing is read yet.
 *
 * @returns path by archive
 * @throws {TailmixError} PREPARE_FROM when it holds none
 */
export async function findGiven(from: string, archives: readonly Archive[]): Promise<Map<Archive, string>> {
  const found = await stat(from).catch(() => null);
  const names = found?.isDirectory() ? await readdir(from) : [];
  const given = new Map<Archive, string>();
  for (const archive of archives) {
    if (names.includes(archive.file)) given.set(archive, join(from, archive.file));
    else if (found?.isFile() && (archives.length === 1 || basename(from) === archive.file)) given.set(archive, from);
  }
  if (given.size === 0) {
    throw fromMissing(
      from,
      archives.map(({ file }) => file),
    );
  }
  return given;
}

/** Checks a file of the user's; an archive inside a zip file is taken out first. */
export async function checkGiven(
  archive: Archive,
  path: string,
  { downloads, onStage, onBytes }: ObtainOptions,
): Promise<Obtained> {
  onStage(`checking ${path}`);
  const taken = (await isZip(path)) ? await takeFromZip(archive, path, downloads, onBytes) : null;
  if (!(await isIntact(archive, taken ?? path))) {
    if (taken !== null) await rm(taken, { force: true });
    throw fromWrong(path, archive.file, describeCheck(archive.size, archive.hash));
  }
  return { path: taken ?? path, origin: path, temporary: taken !== null };
}

async function isZip(path: string): Promise<boolean> {
  const file = await open(path);
  try {
    const { buffer } = await file.read(Buffer.alloc(4), 0, 4, 0);
    return buffer.toString('latin1') === 'PK\x03\x04';
  } finally {
    await file.close();
  }
}

/** Writes the archive that a zip file holds, under whatever folder, into `downloads`. */
async function takeFromZip(archive: Archive, path: string, downloads: string, onBytes: OnBytes): Promise<string> {
  const target = join(downloads, archive.file);
  try {
    const zip = await openZip(path);
    try {
      for await (const entry of zip.eachEntry()) {
        if (basename(entry.fileName) !== archive.file) continue;
        const total = entry.uncompressedSize;
        if (total !== (archive.size ?? total)) break;
        let done = 0;
        await pipeline(
          await zip.openReadStreamPromise(entry),
          async function* count(chunks: AsyncIterable<Buffer>) {
            for await (const chunk of chunks) {
              done += chunk.length;
              onBytes(done, total);
              yield chunk;
            }
          },
          createWriteStream(`${target}.zip.part`),
        );
        await rename(`${target}.zip.part`, target);
        return target;
      }
    } finally {
      zip.close();
    }
  } catch (error) {
    await rm(`${target}.zip.part`, { force: true });
    if (error instanceof TailmixError || (error as NodeJS.ErrnoException).syscall !== undefined) throw error;
    throw archiveDamaged(path, messageOf(error), error);
  }
  throw fromWrong(path, archive.file, describeCheck(archive.size, archive.hash));
}
