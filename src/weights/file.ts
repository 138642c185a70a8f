import { open, stat } from 'node:fs/promises';
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
 * Bytes of a file. What is opened that is none, a pipe or a device, may never answer or have no end.
 *
 * @throws {Error} what the system says, or that it is no file
 */
export async function sizeOfFile(path: string): Promise<number> {
  const status = await stat(path);
  if (!status.isFile()) throw new Error('it is no file');
  return status.size;
}

/**
 * Opens a file of weights.
 *
 * @throws {TailmixError} WEIGHTS_MISSING
 */
export async function openFile(path: string): Promise<OpenFile> {
  try {
    await sizeOfFile(path);
    const handle = await open(path, 'r');
    const { size } = await handle.stat();
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
