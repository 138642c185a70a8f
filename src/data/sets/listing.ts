import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { messageOf } from '../../errors.ts';
import { badFile, readFailed } from '../errors.ts';
import { statOf } from './class-folders.ts';

/** What a file says, and the SHA-256 of its bytes, hex. */
interface Listing<T> {
  value: T;
  hash: string;
}

const kept = new Map<string, Listing<unknown>>();

/**
 * Reads a file that lists images. A plan and the run after it need it both, so what was read is kept until
 * {@link forgetListings}.
 *
 * @param read - must depend on nothing but the file and `key`
 */
export async function readListing<T>(path: string, key: string, read: () => Promise<T>): Promise<Listing<T>> {
  // A pipe may never come to an end, and a device has none.
  if (statOf(path)?.isFile() === false) throw badFile(path, 'a file', 'a folder, a pipe or a device');
  const hash = await hashFile(path);
  const place = JSON.stringify([path, hash, key]);
  const listing = kept.get(place) ?? { value: await read(), hash };
  kept.set(place, listing);
  return listing as Listing<T>;
}

/** Frees what was kept, once the images are open. */
export const forgetListings = (): void => kept.clear();

async function hashFile(path: string): Promise<string> {
  const hash = createHash('sha256');
  try {
    await pipeline(createReadStream(path, { highWaterMark: 2 ** 20 }), hash);
  } catch (error) {
    throw readFailed(path, messageOf(error), error);
  }
  return hash.digest('hex');
}
