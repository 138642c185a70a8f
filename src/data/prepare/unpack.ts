import { open, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { type Extract, extract } from 'tar-stream';
import { makeFolder } from '#make-folder';
import type { OnBytes } from '../../download/download.ts';
import { messageOf, TailmixError } from '../../errors.ts';
import { archiveDamaged, archiveTooLarge, archiveUnsafe } from './errors.ts';
import type { UnpackLimits } from './source.ts';

/** Files up to this many bytes are held whole, so that several can be written at once. */
const SMALL = 2 ** 20;
const WRITES = 16;
/** What a tar file needs beside the bytes of an entry: its header, perhaps a long name, and padding. */
const PER_ENTRY = 4096;

/**
 * Unpacks a gzipped tar file into `folder`, which must be empty. Only plain files and folders with names below it are
 * taken; the first link, device, absolute name, `..`, or file beyond the limits ends it. What was written until then is
 * the caller's to remove.
 *
 * @param onBytes - called with the bytes of the archive that were read
 * @throws {TailmixError} ARCHIVE_DAMAGED, ARCHIVE_UNSAFE or ARCHIVE_TOO_LARGE; errors of the file system as they are
 */
export async function unpackTar(
  archive: string,
  folder: string,
  limits: UnpackLimits,
  onBytes: OnBytes = () => {},
): Promise<{ files: number; bytes: number }> {
  // Old archives name no format (v7); the types do not know the option.
  const parser = extract({ allowUnknownFormat: true } as object);
  const input = await open(archive);
  const { size } = await input.stat();
  const feed = pipeline(
    input.createReadStream({ highWaterMark: 1 << 18 }),
    counting((bytes) => onBytes(bytes, size)),
    createGunzip({ chunkSize: 1 << 18 }),
    counting((bytes) => {
      if (bytes > limits.bytes + PER_ENTRY * limits.entries) throw archiveTooLarge(archive, `${limits.bytes} bytes`);
    }),
    parser,
  );
  feed.catch(() => {}); // told below
  const writer = openWriter();
  try {
    const done = await takeEntries(archive, parser, folder, limits, writer);
    await feed;
    await writer.finish();
    return done;
  } catch (error) {
    parser.destroy();
    const cause = await feed.then(
      () => error,
      (reason: unknown) => reason,
    );
    await writer.finish().catch(() => {});
    throw faultOf(archive, error, cause);
  }
}

async function takeEntries(
  archive: string,
  entries: Extract,
  folder: string,
  limits: UnpackLimits,
  writer: Writer,
): Promise<{ files: number; bytes: number }> {
  const folders = new Set<string>([folder]);
  const ensureFolder = async (path: string): Promise<void> => {
    if (folders.has(path)) return;
    await makeFolder(path);
    folders.add(path);
  };
  let [files, bytes, count] = [0, 0, 0];
  for await (const entry of entries) {
    const { name, type, size } = entry.header;
    const parts = partsOf(archive, name);
    if (++count > limits.entries) throw archiveTooLarge(archive, `${limits.entries} files and folders`);
    if (type === 'directory') {
      await ensureFolder(join(folder, ...parts));
      entry.resume();
      continue;
    }
    if (type !== 'file' && type !== 'contiguous-file')
      throw archiveUnsafe(archive, name, kinds[type] ?? 'an entry of an unknown kind');
    if (parts.length === 0) throw archiveUnsafe(archive, name, 'a file without a name');
    bytes += size;
    if (bytes > limits.bytes) throw archiveTooLarge(archive, `${limits.bytes} bytes`);
    const path = join(folder, ...parts);
    await ensureFolder(dirname(path));
    await writer.write(path, entry, size);
    files++;
  }
  return { files, bytes };
}

const kinds: Record<string, string> = {
  symlink: 'a symbolic link',
  link: 'a hard link',
  'character-device': 'a device',
  'block-device': 'a device',
  fifo: 'a pipe',
};

/** Parts of an entry's name, when it stays below the folder; `.` and empty ones are left out. */
function partsOf(archive: string, name: string): string[] {
  if (/^(\/|[A-Za-z]:)/.test(name)) throw archiveUnsafe(archive, name, 'an absolute name');
  if (/[\\\0]/.test(name)) throw archiveUnsafe(archive, name, 'a name with a backslash or NUL');
  const parts = name.split('/').filter((part) => part !== '' && part !== '.');
  if (parts.includes('..')) throw archiveUnsafe(archive, name, 'a name that leads out of the folder');
  return parts;
}

interface Writer {
  /** Takes an entry to its end. A file that is there already is an error (`EEXIST`). */
  write(path: string, entry: AsyncIterable<unknown>, size: number): Promise<void>;
  /** Waits for what is under way. */
  finish(): Promise<void>;
}

function openWriter(): Writer {
  const pending = new Set<Promise<void>>();
  let failure: { error: unknown } | null = null;
  const check = (): void => {
    if (failure !== null) throw failure.error;
  };
  return {
    async write(path, entry, size) {
      check();
      if (size > SMALL) return writeFile(path, entry as AsyncIterable<Uint8Array>, { flag: 'wx' });
      const chunks: Uint8Array[] = [];
      for await (const chunk of entry) chunks.push(chunk as Uint8Array);
      const task = writeFile(path, Buffer.concat(chunks), { flag: 'wx' })
        .catch((error: unknown) => {
          failure ??= { error };
        })
        .finally(() => pending.delete(task));
      pending.add(task);
      if (pending.size >= WRITES) await Promise.race(pending);
    },
    async finish() {
      await Promise.all(pending);
      check();
    },
  };
}

/** Passes bytes on and tells their sum. */
function counting(onSum: (bytes: number) => void): Transform {
  let sum = 0;
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      sum += chunk.length;
      try {
        onSum(sum);
        done(null, chunk);
      } catch (error) {
        done(error as Error);
      }
    },
  });
}

/** Names that only an archive made to do harm, or a damaged one, has twice or too long. */
const nameFaults = new Set(['EEXIST', 'EISDIR', 'ENOTDIR', 'ENAMETOOLONG', 'EINVAL']);

/** The error that says most: ours, else what stopped the bytes from coming. */
function faultOf(archive: string, error: unknown, cause: unknown): unknown {
  for (const each of [error, cause]) if (each instanceof TailmixError) return each;
  const { code, syscall } = error as NodeJS.ErrnoException;
  if (syscall !== undefined && !nameFaults.has(code ?? '')) return error;
  return archiveDamaged(archive, messageOf(syscall === undefined ? cause : error), error);
}
