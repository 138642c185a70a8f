import { createReadStream } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { fromRandomAccessReader, RandomAccessReader, type ZipFile } from 'yauzl';

/**
 * Opens a zip file for `eachEntry`; close it afterwards. Positions in a damaged file that no file has are an error of what
 * reads them; yauzl's own reader throws them where nobody can catch them.
 *
 * @throws {Error} of yauzl or the file system
 */
export async function openZip(path: string): Promise<ZipFile> {
  const file = await open(path, 'r');
  try {
    const { size } = await file.stat();
    return await new Promise((resolve, reject) =>
      fromRandomAccessReader(
        new Reader(path, file, size),
        size,
        { lazyEntries: true, autoClose: false },
        (error, zip) => (error ? reject(error) : resolve(zip)),
      ),
    );
  } catch (error) {
    await file.close();
    throw error;
  }
}

class Reader extends RandomAccessReader {
  readonly #path: string;
  readonly #file: FileHandle;
  readonly #size: number;

  constructor(path: string, file: FileHandle, size: number) {
    super();
    this.#path = path;
    this.#file = file;
    this.#size = size;
  }

  override read(
    buffer: Buffer,
    offset: number,
    length: number,
    position: number,
    callback: (error: Error | null) => void,
  ): void {
    const end = position + length;
    if (!(position >= 0 && end <= this.#size)) {
      setImmediate(callback, new Error(`bytes ${position} to ${end} are not in the file, which has ${this.#size}`));
      return;
    }
    this.#file
      .read(buffer, offset, length, position)
      .then(
        ({ bytesRead }) => callback(bytesRead === length ? null : new Error('the file has become shorter')),
        callback,
      );
  }

  override _readStreamForRange(start: number, end: number): Readable {
    return createReadStream(this.#path, { start, end: end - 1 });
  }

  override close(callback: (error: Error | null) => void): void {
    this.#file.close().then(() => callback(null), callback);
  }
}
