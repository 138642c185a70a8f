import { existsSync } from 'node:fs';
import { mkdir, readdir, rename, rm, rmdir, statfs } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import process from 'node:process';
import { withLock } from '#lock';
import { makeFolder } from '#make-folder';
import { markInUse } from '../../backend/in-use.ts';
import type { OnBytes, Patience } from '../../download/download.ts';
import { TailmixError } from '../../errors.ts';
import { archiveIncomplete, noRoom, placeTaken, rootUnusable } from './errors.ts';
import { checkGiven, fetchArchive, findGiven, type ObtainOptions } from './obtain.ts';
import { type Archive, type DataSource, whatIsMissing } from './source.ts';
import { unpackTar } from './unpack.ts';

/** Folder under the data root for what is under way: downloads, and what is being unpacked. */
const WORK = '.tailmix';
const DOWNLOADS = 'downloads';

/** Under the data root, held by a preparation. */
export const PREPARATION_LOCK = `${WORK}.lock`;

/** What to prepare, and how to tell about it. */
export interface PrepareOptions {
  /** The data root. */
  root: string;
  /** Take archives from this file, or folder, and fetch none. */
  from?: string;
  /** Folders on servers that are asked before the published addresses. */
  mirrors?: readonly string[];
  /** Fetch parts that can be left out (default true). */
  optional?: boolean;
  /** Replace what is there (default false). */
  force?: boolean;
  patience?: Patience;
  onStage?: (stage: string) => void;
  onBytes?: OnBytes;
}

/** What became of an archive. */
export interface PreparedArchive {
  file: string;
  /** Where its content is. */
  place: string;
  /** Whether this call put it there. */
  changed: boolean;
  /** Address or path that it came from; null when it was there. */
  origin: string | null;
}

/**
 * Puts a data set under the root: each archive is fetched (or taken from a file), checked, unpacked aside, checked
 * again, and moved in place with one rename, so that a preparation that is killed leaves nothing that could be taken for
 * data. What was downloaded until then is continued by the next. Two at once wait for each other.
 *
 * @throws {TailmixError} with what is wrong and its cure
 */
export async function prepareSource(source: DataSource, options: PrepareOptions): Promise<PreparedArchive[]> {
  const { root, from, optional = true, force = false, onStage = () => {} } = options;
  const wanted = source.archives.filter((archive) => optional || !archive.optional);
  const given = from === undefined ? null : await findGiven(resolve(from), wanted);
  const archives = given === null ? wanted : [...given.keys()];
  if (given === null && !force && liesElsewhere(source, root)) {
    return wanted.map(({ file }) => ({ file, place: root, changed: false, origin: null }));
  }
  const work = join(root, WORK);
  try {
    return await withLock(
      join(root, PREPARATION_LOCK),
      async () => {
        for (const path of [work, ...archives.map(({ to }) => join(root, to))]) await markInUse(path);
        await makeFolder(work);
        await removeLeftovers(work);
        const prepared: PreparedArchive[] = [];
        try {
          for (const archive of archives) {
            prepared.push(await prepareArchive(archive, given?.get(archive) ?? null, options));
          }
          return prepared;
        } finally {
          // Downloads that are to be continued keep them.
          for (const folder of [join(work, DOWNLOADS), work]) await rmdir(folder).catch(() => {});
        }
      },
      { onWait: () => onStage('waiting for another preparation') },
    );
  } catch (error) {
    if (error instanceof TailmixError || (error as NodeJS.ErrnoException).syscall === undefined) throw error;
    throw rootUnusable(root, error);
  }
}

/** Whether nothing of the archives is in its place, but the set is under the root in another layout. */
const liesElsewhere = ({ archives, elsewhere = [] }: DataSource, root: string): boolean =>
  !archives.some(({ to }) => existsSync(join(root, to))) && elsewhere.some((path) => existsSync(join(root, path)));

async function prepareArchive(
  archive: Archive,
  given: string | null,
  { root, force = false, mirrors = [], patience, onStage = () => {}, onBytes = () => {} }: PrepareOptions,
): Promise<PreparedArchive> {
  const { file } = archive;
  const place = join(root, archive.to);
  if (existsSync(place) && !force) {
    const missing = await whatIsMissing(place, archive.holds);
    if (missing !== null) throw placeTaken(place, missing.expected, missing.got);
    return { file, place, changed: false, origin: null };
  }
  await requireRoom(root, (given === null ? (archive.size ?? archive.about ?? 0) : 0) + archive.limits.bytes);
  const downloads = join(root, WORK, DOWNLOADS);
  await makeFolder(downloads);
  const obtain: ObtainOptions = { downloads, mirrors, onStage, onBytes, ...(patience && { patience }) };
  const obtained = given === null ? await fetchArchive(archive, obtain) : await checkGiven(archive, given, obtain);
  onStage(`unpacking ${file}`);
  const aside = join(root, WORK, `unpacking-${process.pid}`);
  try {
    await mkdir(aside);
    await unpackTar(obtained.path, aside, archive.limits, onBytes);
    await putInPlace(await contentOf(archive, obtained.path, aside), place, join(root, WORK, `old-${process.pid}`));
  } finally {
    await rm(aside, { recursive: true, force: true });
  }
  if (obtained.temporary) await rm(obtained.path, { force: true });
  return { file, place, changed: true, origin: obtained.origin };
}

/** The part of what was unpacked that is the data, once it is known to be whole. */
async function contentOf({ from, holds }: Archive, path: string, aside: string): Promise<string> {
  let problem: { expected: string; got: string } | null = null;
  for (const inner of from) {
    const content = join(aside, inner);
    const missing = existsSync(content)
      ? await whatIsMissing(content, holds)
      : { expected: inner, got: (await readdir(aside)).slice(0, 5).join(', ') || 'nothing' };
    if (missing === null) return content;
    problem ??= missing;
  }
  throw archiveIncomplete(path, problem!.expected, problem!.got);
}

async function putInPlace(content: string, place: string, old: string): Promise<void> {
  await makeFolder(dirname(place));
  if (existsSync(place)) await rename(place, old);
  await rename(content, place);
  await rm(old, { recursive: true, force: true });
}

/** What killed preparations left, except downloads; called by the holder of the lock only. */
async function removeLeftovers(work: string): Promise<void> {
  for (const entry of await readdir(work)) {
    if (/^(unpacking|old)-\d+$/.test(entry)) await rm(join(work, entry), { recursive: true, force: true });
  }
}

async function requireRoom(root: string, bytes: number): Promise<void> {
  const { bavail, bsize } = await statfs(root);
  const freeMb = Math.floor((bavail * bsize) / 1e6);
  const neededMb = Math.ceil(bytes / 1e6);
  if (freeMb < neededMb) throw noRoom(root, neededMb, freeMb);
}
