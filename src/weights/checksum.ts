import { createHash, type Hash } from 'node:crypto';
import { open, stat } from 'node:fs/promises';
import { weightsUnreadable } from './errors.ts';
import { readShards } from './shards.ts';

/** Bytes that are read at a time, into the same memory. */
const CHUNK = 1 << 20;

/** Age from which a file that is changed again has another time of change, on any file system. */
const SETTLED_MS = 2000;

/** Checksums of what this process has read through, by what the system says of the files. */
const known = new Map<string, string>();

/**
 * A file of weights; an index, then its files in their order.
 *
 * @throws {TailmixError} WEIGHTS_MISSING, WEIGHTS_FORMAT
 */
export const filesOf = async (path: string): Promise<string[]> =>
  path.endsWith('.json') ? [path, ...(await readShards(path)).keys()] : [path];

/**
 * SHA-256, hex, over a file of weights; over an index, then its files in their order. Files are read through once in a
 * process, and again when the system says that they have changed.
 *
 * @throws {TailmixError} WEIGHTS_MISSING, WEIGHTS_FORMAT
 */
export async function checksumWeights(path: string): Promise<string> {
  const files = await filesOf(path);
  const before = await statesOf(files);
  const found = known.get(before.key);
  if (found !== undefined) return found;
  const hash = createHash('sha256');
  for (const file of files) {
    await addFile(hash, file).catch((error: unknown) => {
      throw weightsUnreadable(file, error);
    });
  }
  const sha256 = hash.digest('hex');
  const { key, changed } = await statesOf(files);
  if (key === before.key && Date.now() - changed > SETTLED_MS) known.set(key, sha256);
  return sha256;
}

/** Files as the system describes them, and when the last one was changed, in ms of the clock. */
async function statesOf(files: readonly string[]): Promise<{ key: string; changed: number }> {
  const states = await Promise.all(
    files.map((file) =>
      stat(file, { bigint: true }).then(
        (state) => {
          // A pipe or a device may have no end.
          if (!state.isFile()) throw weightsUnreadable(file, new Error('it is no file'));
          return state;
        },
        (error: unknown) => {
          throw weightsUnreadable(file, error);
        },
      ),
    ),
  );
  return {
    key: JSON.stringify([
      files,
      states.map(({ dev, ino, size, mtimeNs, ctimeNs }) => [dev, ino, size, mtimeNs, ctimeNs].map(String)),
    ]),
    changed: Math.max(...states.map(({ mtimeMs, ctimeMs }) => Math.max(Number(mtimeMs), Number(ctimeMs)))),
  };
}

async function addFile(hash: Hash, path: string): Promise<void> {
  const handle = await open(path, 'r');
  try {
    const memory = Buffer.allocUnsafe(CHUNK);
    for (;;) {
      const { bytesRead } = await handle.read(memory, 0, CHUNK, null);
      if (bytesRead === 0) return;
      hash.update(memory.subarray(0, bytesRead));
    }
  } finally {
    await handle.close();
  }
}
