import { randomUUID } from 'node:crypto';
import { rename, rm } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { withLock } from '#lock';
import { usersOf } from '../../backend/in-use.ts';
import { PREPARATION_LOCK } from '../../data/prepare/prepare-source.ts';
import { isIn } from '../../util/is-in.ts';
import { suggest } from '../../util/suggest.ts';
import { cacheNameUnknown, cacheNotOurs, cacheNotRemoved, cacheWhat } from '../errors.ts';
import { ASIDE, type CacheEntry, isWithin, type User, usersOfPath } from './entries.ts';

/** What is to be removed. */
export interface Selection {
  /** Of entries; kinds, data sets, or folders that images were packed from. */
  names: readonly string[];
  all: boolean;
  /** Packed files that were not used for so many days. */
  unused: number | undefined;
}

const DAY = 86_400_000;
/** A packed file that was written to within this time is being written. */
const BEING_WRITTEN_MS = 3_600_000;

/**
 * The entries that a selection means. Without names `unused` means packed files, `all` everything that tailmix put there.
 *
 * @throws {TailmixError} CACHE_WHAT, CACHE_NAME, CACHE_NOT_OURS
 */
export function selectEntries(
  entries: readonly CacheEntry[],
  { names, all, unused }: Selection,
  now = Date.now(),
): CacheEntry[] {
  if (names.length === 0 && !all && unused === undefined) throw cacheWhat();
  const named = new Set(names.flatMap((name) => entriesNamed(entries, name)));
  const ours = entries.filter(({ kind }) => kind !== 'other');
  const meant = names.length > 0 ? ours.filter((entry) => named.has(entry)) : ours;
  if (unused === undefined) return meant;
  return meant.filter(({ lastUsed }) => lastUsed !== null && now - lastUsed.getTime() > unused * DAY);
}

function entriesNamed(entries: readonly CacheEntry[], name: string): CacheEntry[] {
  const wanted = name.length > 1 ? name.replace(/[/\\]$/, '') : name;
  const found = entries.filter((entry) => namesOf(entry).includes(wanted) || isFrom(entry, resolve(name)));
  const ours = found.filter(({ kind }) => kind !== 'other');
  if (ours.length > 0) return ours;
  if (found.length > 0) throw cacheNotOurs(found[0]!.path);
  const known = [...new Set(entries.flatMap(namesOf))];
  throw cacheNameUnknown(name, suggest(wanted, known));
}

const namesOf = ({ name, kind, packed }: CacheEntry): string[] => [
  name,
  name.replace(/\.pack$/, ''),
  kind,
  ...(packed ? [packed.dataset] : []),
];

/** Whether it was packed from a folder, or one in it. */
const isFrom = ({ packed }: CacheEntry, folder: string): boolean => packed !== null && isIn(folder, packed.folder);

/** Why something stays; null where it may go. */
export function whyKept(entry: CacheEntry, { takeOver }: { takeOver: boolean }, now = Date.now()): string | null {
  if (entry.isOutside) return 'lies outside of the cache folder';
  if (entry.name.endsWith('.tmp') && now - entry.lastUsed!.getTime() < BEING_WRITTEN_MS) return 'is being written';
  const user = entry.users.find(({ where }) => where === 'here' || !takeOver);
  return user === undefined ? null : usedBy(user);
}

const usedBy = ({ pid, host, where }: User): string =>
  where === 'here'
    ? `is in use by process ${pid}`
    : `is in use by process ${pid} on ${host}, which cannot be seen from here (--take-over if it runs no more)`;

/**
 * Removes an entry, unless a process has begun to use it meanwhile.
 *
 * @returns whether it was removed
 * @throws {TailmixError} CACHE_REMOVE
 */
export async function removeEntry(root: string, entry: CacheEntry, takeOver: boolean): Promise<boolean> {
  const { path } = entry;
  const lock = lockOf(root, entry);
  return lock === null ? remove() : withLock(lock, remove);

  async function remove(): Promise<boolean> {
    const aside = ASIDE.test(path) ? path : `${path}.${randomUUID()}.removing`;
    let at = path;
    try {
      if (!(await isWithin(root, path))) return false;
      await rename(path, aside);
      at = aside;
      const users = usersOfPath(await usersOf(root), path);
      if (users.some(({ where }) => where === 'here' || !takeOver)) {
        await rename(aside, path);
        return false;
      }
      await rm(aside, { recursive: true, force: true });
      return true;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return true;
      throw cacheNotRemoved(at, error);
    }
  }
}

/** Held by a set-up or a preparation in progress, which would miss what it is making. */
function lockOf(root: string, { path, kind }: CacheEntry): string | null {
  const data = join(root, 'data');
  if (dirname(path) === data) return join(data, PREPARATION_LOCK);
  return kind === 'backend' || kind === 'downloads' ? join(root, 'setup.lock') : null;
}
