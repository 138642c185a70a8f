import { createWriteStream } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { type Readable, Transform } from 'node:stream';
import { text } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { crc32 } from 'node:zlib';
import type { Entry } from 'yauzl';
import { makeFolder } from '#make-folder';
import type { OnBytes } from '../download/download.ts';
import { messageOf, TailmixError } from '../errors.ts';
import { openZip } from '../util/zip.ts';
import { wheelDamaged, wheelWithout } from './errors.ts';
import type { Layout } from './wheel-layout.ts';

/**
 * Unpacks members of a wheel (a zip file) into `folder`, each checked by its CRC-32.
 *
 * @throws {TailmixError} WHEEL_DAMAGED, or WHEEL_WITHOUT if a required member is not in it
 */
export async function unpackMembers(
  wheel: string,
  folder: string,
  { destinationOf, required }: Layout,
  onBytes: OnBytes = () => {},
): Promise<void> {
  await withEntries(wheel, async (entries, open) => {
    const wanted = entries.flatMap((entry): [Entry, string][] => {
      const destination = destinationOf(entry.fileName);
      return destination === null ? [] : [[entry, destination]];
    });
    for (const member of required) {
      if (!wanted.some(([{ fileName }]) => fileName === member)) throw wheelWithout(wheel, member);
    }
    const total = wanted.reduce((sum, [{ uncompressedSize }]) => sum + uncompressedSize, 0);
    let done = 0;
    for (const [entry, destination] of wanted) {
      const path = join(folder, destination);
      await makeFolder(dirname(path));
      const check = checksum(entry, (bytes) => {
        done += bytes;
        onBytes(done, total);
      });
      const mode = basename(dirname(path)) === 'bin' ? 0o777 : 0o666;
      await pipeline(await open(entry), check, createWriteStream(path, { mode }));
    }
  });
}

/**
 * The text of a wheel's first member whose name matches.
 *
 * @throws {TailmixError} WHEEL_DAMAGED, or WHEEL_WITHOUT if there is none
 */
export async function readMember(wheel: string, name: RegExp): Promise<string> {
  let content = '';
  await withEntries(wheel, async (entries, open) => {
    const entry = entries.find(({ fileName }) => name.test(fileName));
    if (entry === undefined) throw wheelWithout(wheel, 'METADATA');
    await pipeline(
      await open(entry),
      checksum(entry, () => {}),
      async (bytes: AsyncIterable<Buffer>) => {
        content = await text(bytes);
      },
    );
  });
  return content;
}

/** Opens a wheel, and tells a fault of the file from one of the system. */
async function withEntries(
  wheel: string,
  work: (entries: Entry[], open: (entry: Entry) => Promise<Readable>) => Promise<void>,
): Promise<void> {
  try {
    const zip = await openZip(wheel);
    try {
      const entries: Entry[] = [];
      for await (const entry of zip.eachEntry()) entries.push(entry);
      await work(entries, (entry) => zip.openReadStreamPromise(entry));
    } finally {
      zip.close();
    }
  } catch (error) {
    if (error instanceof TailmixError || (error as NodeJS.ErrnoException).syscall !== undefined) throw error;
    throw wheelDamaged(wheel, messageOf(error));
  }
}

/** Passes an entry's bytes on and compares their CRC-32 with the one in the zip's directory. */
function checksum({ fileName, crc32: expected }: Entry, onChunk: (bytes: number) => void): Transform {
  let sum = 0;
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      sum = crc32(chunk, sum);
      onChunk(chunk.length);
      done(null, chunk);
    },
    flush(done) {
      done(sum === expected ? null : new Error(`the checksum of ${fileName} is wrong`));
    },
  });
}
