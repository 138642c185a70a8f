import { open } from 'node:fs/promises';
import { weightsDamaged, weightsUnreadable } from './errors.ts';

/** A file that is read in parts. */
export interface OpenFile {
  path: string;
  /** In bytes. */
  size: number;
  /** Bytes from a position; all of them, or WEIGHTS_DAMAGED. */
  read(position: number, length: number): Promise<Buffer>;
  /** Fills a view of memory from a position on, without a copy. */
  fill(target: Uint8Array, position: number): Promise<void>;
  /** WEIGHTS_DAMAGED of this file. */
  fail(found: string): Error;
  close(): Promise<void>;
}

/**
 * Opens a file of weights.
 *
 * @throws {TailmixError} WEIGHTS_MISSING
 */
export async function openFile(path: string): Promise<OpenFile> {
  try {
    const handle = await open(path, 'r');
    const status = await handle.stat();
    if (!status.isFile()) {
      await handle.close();
      throw new Error('it is no file');
    }
    const { size } = status;
    const fail = (found: string): Error => weightsDamaged(path, found);
    const fill = async (target: Uint8Array, position: number): Promise<void> => {
      if (position + target.length > size)
        throw fail(`it ends at byte ${size}, where ${position + target.length} was due`);
      let done = 0;
      while (done < target.length) {
        const { bytesRead } = await handle.read(target, done, target.length - done, position + done);
        if (bytesRead === 0) throw fail(`it ends at byte ${position + done}`);
        done += bytesRead;
      }
    };
    return {
      path,
      size,
      fill,
      fail,
      async read(position, length) {
        if (position + length > size) throw fail(`it ends at byte ${size}, where ${position + length} was due`);
        const bytes = Buffer.alloc(length);
        await fill(bytes, position);
        return bytes;
      },
      close: () => handle.close(),
    };
  } catch (error) {
    throw weightsUnreadable(path, error);
  }
}
