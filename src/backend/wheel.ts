import { createWriteStream } from 'node:fs';
import { dirname, join } from 'node:path';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { crc32 } from 'node:zlib';
import type { Entry } from 'yauzl';
import { makeFolder } from '#make-folder';
import type { OnBytes } from '../download/download.ts';
import { messageOf, TailmixError } from '../errors.ts';
import { openZip } from '../util/zip.ts';
import { wheelDamaged, wheelWithout } from './errors.ts';
import type { Target } from './target.ts';
import { destinationOf } from './wheel-layout.ts';

/**
 * Unpacks TensorFlow's C library and the headers of its C API from a wheel (a zip file) into `folder`.
 *
 * @throws {TailmixError} WHEEL_DAMAGED, or WHEEL_WITHOUT if a library is not in it
 */
export async function unpackWheel(
  wheel: string,
  folder: string,
  target: Target,
  onBytes: OnBytes = () => {},
): Promise<void> {
  try {
    const zip = await openZip(wheel);
    try {
      const wanted: [Entry, string][] = [];
      for await (const entry of zip.eachEntry()) {
        const destination = destinationOf(entry.fileName, target);
        if (destination !== null) wanted.push([entry, destination]);
      }
      for (const library of Object.values(target.libraries)) {
        if (!wanted.some(([, to]) => to === join('lib', library))) throw wheelWithout(wheel, `tensorflow/${library}`);
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
        await pipeline(await zip.openReadStreamPromise(entry), check, createWriteStream(path));
      }
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
