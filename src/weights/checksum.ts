import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { weightsUnreadable } from './errors.ts';
import { readShards } from './shards.ts';

/**
 * A file of weights; an index, then its files in their order.
 *
 * @throws {TailmixError} WEIGHTS_MISSING, WEIGHTS_FORMAT
 */
export const filesOf = async (path: string): Promise<string[]> =>
  path.endsWith('.json') ? [path, ...(await readShards(path)).keys()] : [path];

/**
 * SHA-256, hex, over a file of weights; over an index, then its files in their order.
 *
 * @throws {TailmixError} WEIGHTS_MISSING, WEIGHTS_FORMAT
 */
export async function checksumWeights(path: string): Promise<string> {
  const hash = createHash('sha256');
  for (const file of await filesOf(path)) {
    try {
      for await (const chunk of createReadStream(file, { highWaterMark: 1 << 20 })) hash.update(chunk as Buffer);
    } catch (error) {
      throw weightsUnreadable(file, error);
    }
  }
  return hash.digest('hex');
}
