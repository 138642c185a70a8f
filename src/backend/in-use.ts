import { randomUUID } from 'node:crypto';
import { rmSync } from 'node:fs';
import { readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import process from 'node:process';
import { makeFolder } from '#make-folder';
import { isIn } from '../util/is-in.ts';
import { type ProcessIdentity, thisProcess, type Whereabouts, whereaboutsOf } from '../util/process-identity.ts';
import { cacheRoot } from './paths.ts';

/** A process that uses files or folders of a cache folder. */
export interface CacheUser extends ProcessIdentity {
  /** Absolute. */
  paths: string[];
}

/** Folder whose files each name a process and what it uses. */
export const inUseFolder = (root: string): string => join(root, 'in-use');

/** What this process uses, by cache folder: in the file that says so. */
const held = new Map<string, Mark>();

interface Mark {
  file: string;
  paths: Set<string>;
  /** Settles when all of `paths` is in the file. */
  written: Promise<void>;
}

/** A file that cannot be removed names a process that is gone. */
const removeAtExit = (): void => {
  for (const { file } of held.values())
    try {
      rmSync(file, { force: true });
    } catch {}
};

/**
 * Says that this process uses a file or a folder of the cache until it ends, so that `tailmix cache clean` leaves it there.
 * What lies elsewhere is never removed, and needs no word.
 * A cache that may not be written says nothing: whoever uses it may not remove anything either.
 */
export function markInUse(path: string, root: string = cacheRoot()): Promise<void> {
  if (!isIn(root, path)) return Promise.resolve();
  const before = held.get(root);
  const mark = before ?? {
    file: join(inUseFolder(root), `${randomUUID()}.json`),
    paths: new Set<string>(),
    written: Promise.resolve(),
  };
  if (mark.paths.has(path)) return mark.written;
  mark.paths.add(path);
  if (held.size === 0) process.on('exit', removeAtExit);
  held.set(root, mark);
  // One after another: an earlier and shorter list would overwrite a later one.
  mark.written = mark.written.then(() => writeMark(root, mark, before === undefined));
  return mark.written;
}

async function writeMark(root: string, { file, paths }: Mark, isFirst: boolean): Promise<void> {
  const unfinished = `${file}.${randomUUID()}`;
  try {
    await makeFolder(inUseFolder(root));
    if (isFirst) await usersOf(root, { removeGone: true });
    const self = await thisProcess();
    const user: CacheUser = { ...self, paths: [...paths] };
    await writeFile(unfinished, JSON.stringify(user));
    await rename(unfinished, file);
  } catch {
    await rm(unfinished, { force: true }).catch(() => {});
  }
}

/** Who uses what of a cache folder. Processes that have ended count no more. */
export async function usersOf(
  root: string,
  { removeGone = false }: { removeGone?: boolean } = {},
): Promise<(CacheUser & { where: Exclude<Whereabouts, 'gone'> })[]> {
  const folder = inUseFolder(root);
  const names = await readdir(folder).catch(() => []);
  const users = await Promise.all(
    names
      .filter((name) => name.endsWith('.json'))
      .map(async (name) => {
        const user = await readUser(join(folder, name));
        if (user === null) return [];
        const where = await whereaboutsOf(user);
        if (where !== 'gone') return [{ ...user, where }];
        if (removeGone) await rm(join(folder, name), { force: true }).catch(() => {});
        return [];
      }),
  );
  return users.flat();
}

/** Null where its process has ended meanwhile, or for a file that is none of ours. */
async function readUser(file: string): Promise<CacheUser | null> {
  try {
    const user = JSON.parse(await readFile(file, 'utf8')) as CacheUser;
    return Number.isSafeInteger(user.pid) && user.pid > 0 && Array.isArray(user.paths) ? user : null;
  } catch {
    return null;
  }
}
