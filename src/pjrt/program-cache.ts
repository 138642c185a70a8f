import { createHash, randomUUID } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Bytes that compiled programs take at most, together. */
const LIMIT = 2 ** 30;

/** Length of the SHA-256 that a file begins with, of all that follows. */
const CHECKSUM = 32;

const checksum = (bytes: Uint8Array): Buffer => createHash('sha256').update(bytes).digest();

/** The name of a program that these parts tell from every other: plugin, device, options, text. */
export const programKey = (parts: readonly (string | number | Uint8Array)[]): string => {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(typeof part === 'object' ? part : `${part}`).update('\0');
  return hash.digest('hex');
};

/** Compiled programs on disk. What cannot be read or written is compiled again: the cache never fails a run. */
export interface ProgramCache {
  /** A program, if it is there and whole. */
  read(key: string): Uint8Array | null;
  /** Keeps a program. Those used longest ago go where there are too many. */
  write(key: string, program: Uint8Array): void;
}

/** @param limit - bytes of all programs together. Default: 1 GiB. */
export function programCache(folder: string, limit = LIMIT): ProgramCache {
  const pathOf = (key: string): string => join(folder, `${key}.program`);
  return {
    read(key) {
      try {
        const file = readFileSync(pathOf(key));
        const program = file.subarray(CHECKSUM);
        if (!checksum(program).equals(file.subarray(0, CHECKSUM))) return null;
        const now = new Date();
        utimesSync(pathOf(key), now, now);
        return program;
      } catch {
        return null;
      }
    },
    write(key, program) {
      const temporary = `${pathOf(key)}.${randomUUID()}.tmp`;
      try {
        mkdirSync(folder, { recursive: true });
        writeFileSync(temporary, Buffer.concat([checksum(program), program]));
        renameSync(temporary, pathOf(key));
        removeOldest(folder, limit);
      } catch {
        remove(temporary);
      }
    },
  };
}

/** A file that cannot be removed stays until the next time. */
function remove(path: string): void {
  try {
    rmSync(path, { force: true });
  } catch {}
}

function removeOldest(folder: string, limit: number): void {
  const files = readdirSync(folder)
    .filter((name) => /\.(program|tmp)$/.test(name))
    .map((name) => join(folder, name))
    .map((path) => ({ path, ...sizeAndTime(path) }))
    .sort((a, b) => b.time - a.time);
  let total = 0;
  for (const { path, size } of files) {
    total += size;
    if (total > limit) remove(path);
  }
}

/** Of a file that another process has removed meanwhile: nothing. */
function sizeAndTime(path: string): { size: number; time: number } {
  const found = statSync(path, { throwIfNoEntry: false });
  return { size: found?.size ?? 0, time: found?.mtimeMs ?? 0 };
}
