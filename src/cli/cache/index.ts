import { cacheRoot } from '../../backend/paths.ts';
import { fileSize } from '../../util/file-size.ts';
import { type Ask, asking } from '../ask.ts';
import { cacheUnconfirmed } from '../errors.ts';
import { print, printJson, tell } from '../output.ts';
import { type CacheEntry, cacheEntries } from './entries.ts';
import { removeEntry, selectEntries, whyKept } from './remove.ts';
import { bytesIn, describeEntries, shownPath } from './table.ts';

/** `tailmix cache ls`: what the cache folder holds. */
export async function cacheList({ json = false }: { json?: boolean }): Promise<number> {
  const root = cacheRoot();
  const entries = await cacheEntries(root);
  if (json) printJson({ root, bytes: bytesIn(entries), entries: entries.map(documentOf) });
  else
    for (const line of [`${shownPath(root)}  ${fileSize(bytesIn(entries))}`, ...describeEntries(entries)]) print(line);
  return 0;
}

/** Options of `tailmix cache clean`. */
export interface CacheCleanOptions {
  all?: boolean;
  unused?: number;
  dryRun?: boolean;
  yes?: boolean;
  takeOver?: boolean;
  json?: boolean;
}

/**
 * `tailmix cache clean`: removes what is asked for, and leaves what a process uses.
 *
 * @param ask - Default: the terminal, where there is one.
 */
export async function cacheClean(
  names: readonly string[],
  { all = false, unused, dryRun = false, yes = false, takeOver = false, json = false }: CacheCleanOptions,
  ask?: Ask,
): Promise<number> {
  const root = cacheRoot();
  const selected = selectEntries(await cacheEntries(root), { names, all, unused });
  const kept = selected.flatMap((entry) => {
    const why = whyKept(entry, { takeOver });
    return why === null ? [] : [{ entry, why }];
  });
  const going = selected.filter((entry) => kept.every((one) => one.entry !== entry));
  if (!json) for (const line of describeEntries(going)) print(line);
  const isAgreed = dryRun || going.length === 0 || yes || (await agrees(going, { isAsked: !json, ask }));
  const removed: CacheEntry[] = [];
  for (const entry of isAgreed && !dryRun ? going : []) {
    if (await removeEntry(root, entry, takeOver)) removed.push(entry);
    else kept.push({ entry, why: 'came into use meanwhile' });
  }
  for (const { entry, why } of kept) tell(`kept: ${entry.name} ${why}`);
  const done = dryRun ? going : removed;
  const document = { root, dryRun, bytes: bytesIn(done), removed: done.map(documentOf) };
  if (json) printJson({ ...document, kept: kept.map(({ entry, why }) => ({ ...documentOf(entry), why })) });
  else if (dryRun) print(`would remove ${fileSize(bytesIn(going))}`);
  else print(isAgreed ? `removed ${fileSize(bytesIn(removed))}` : 'nothing was removed');
  return 0;
}

async function agrees(
  going: readonly CacheEntry[],
  { isAsked, ask: given }: { isAsked: boolean; ask: Ask | undefined },
): Promise<boolean> {
  if (!isAsked) throw cacheUnconfirmed();
  return asking(given, async (ask) => {
    if (ask === undefined) throw cacheUnconfirmed();
    return /^y(es)?$/i.test((await ask(`Remove ${fileSize(bytesIn(going))}? [y/N] `)).trim());
  });
}

const documentOf = ({ kind, name, path, bytes, lastUsed, packed, users }: CacheEntry) => ({
  kind,
  name,
  path,
  bytes,
  lastUsed: lastUsed?.toISOString() ?? null,
  packed,
  inUse: users.map(({ host, pid, where }) => ({ host, pid, where })),
});
