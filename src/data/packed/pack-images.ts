import { rm, utimes } from 'node:fs/promises';
import { relative, resolve } from 'node:path';
import { markInUse } from '../../backend/in-use.ts';
import type { PackForm } from '../options.ts';
import { fingerprint, statOf } from '../sets/class-folders.ts';
import type { ImageList, ReadContext, Split } from '../types.ts';
import { oneAtATime } from './atomic.ts';
import { type DecodeOptions, decodeFiles, decoderVersion } from './decode.ts';
import { cacheUnwritable, filesChanged, nothingReadable } from './errors.ts';
import { openPacked, type Packed, type PackedRow, packedPath, writePacked } from './packed.ts';

/** Opens a split in class folders; a file that changes, comes or goes makes its packed file anew. */
export const readClassFolders = (
  name: Split['name'],
  folders: ImageList,
  options: DecodeOptions,
  context: ReadContext,
): Promise<Split> => readPacked(name, folders, [], options, context);

/**
 * Opens a split whose files are listed in one file, as {@link readClassFolders} does.
 *
 * @param source - hash of what decides which files are read, and where
 */
export const readListed = (
  name: Split['name'],
  list: ImageList,
  source: string,
  options: DecodeOptions,
  context: ReadContext,
): Promise<Split> => readPacked(name, list, [source], options, context);

/** What decides pixels: the number is that of how files are decoded, and goes up when their pixels change. */
const settingsOf = ({ shape, resize, exif, onCorrupt }: DecodeOptions) => ({
  shape,
  resize,
  exif,
  onCorrupt,
  decoding: 2,
});

/** Hash of everything that decides labels and pixels; files that are kept also depend on what will decode them. */
async function keyOf(list: ImageList, source: readonly string[], options: DecodeOptions, pack: PackForm) {
  const form = pack === 'files' ? [{ pack, decoder: await decoderVersion() }] : [];
  return fingerprint(list, [...source, settingsOf(options), ...form]);
}

/** Opens a split through its packed file, which is made first where there is none for this list and these settings. */
async function readPacked(
  name: Split['name'],
  list: ImageList,
  origin: readonly string[],
  options: DecodeOptions,
  { cache, dataset = 'custom', fresh = false, pack: form = 'pixels', onProgress }: ReadContext,
): Promise<Split> {
  const keyNow = (): Promise<string> => keyOf(list, origin, options, form);
  const key = await keyNow();
  const path = packedPath(cache, name, key);
  await markInUse(path);
  const packed =
    (fresh ? null : await usable()) ??
    (await oneAtATime(path, async () => (fresh ? null : await usable()) ?? (await pack())));
  await touch(path);
  const { labels, hashes, pixels, metadata } = packed;
  const skipped = leftOut(list, metadata);
  if (labels.length === 0) throw nothingReadable(list.folder, skipped.length);
  const left = new Set(skipped);
  const files = list.files.map((file) => file.path).filter((file) => !left.has(file));
  const unreadable = skipped.map((file, i) => ({ path: file, reason: file + metadata.reasons[i]! }));
  return {
    name,
    labels,
    hashes,
    pixels: { ...pixels, shape: metadata.shape },
    files,
    unreadable,
    packed: describePackedSplit(metadata),
  };

  /** What is there, if nothing that was left out has come since. */
  async function usable(): Promise<Packed | null> {
    const found = await openPacked(path, key);
    return found === null || isMended(path, leftOut(list, found.metadata)) ? null : found;
  }

  async function pack(): Promise<Packed> {
    await markInUse(resolve(list.base));
    const rows = decodeFiles(list, options, onProgress, form);
    const source = { dataset, folder: resolve(list.base) };
    const { shape, resize, exif } = options;
    const encoded = form === 'files' ? { encoded: { resize, exif } } : {};
    await writePacked(path, { key, shape, source, ...encoded }, namedFrom(list.base, rows));
    const made = await openPacked(path, key);
    if (made === null) throw cacheUnwritable(path);
    // A folder that went away is no folder of unreadable files.
    if (made.metadata.skipped.length > 0 && (await keyNow().catch(() => null)) !== key) {
      await rm(path, { force: true });
      throw filesChanged(list.folder, made.metadata.skipped[0]! + made.metadata.reasons[0]!);
    }
    return made;
  }
}

const describePackedSplit = ({ imagesSha256, source }: Packed['metadata']): NonNullable<Split['packed']> => ({
  imagesSha256,
  ...(source && { source }),
});

/** Files of a list that its packed file lacks, as the list has their paths. */
function leftOut({ base, files }: ImageList, { skipped }: Packed['metadata']): string[] {
  const names = new Set(skipped);
  if (names.size === 0) return [];
  return files.map(({ path }) => path).filter((path) => names.has(relative(base, path)));
}

/** Rows as a packed file names them: relative to a folder, so that a set may be reached by another path. */
async function* namedFrom(base: string, rows: AsyncIterable<PackedRow>): AsyncGenerator<PackedRow> {
  for await (const { path, reason, ...row } of rows) {
    yield { ...row, path: relative(base, path), ...(reason !== undefined && { reason: reason.slice(path.length) }) };
  }
}

/** Whether a file that was left out has come or changed since the packed file was written. */
function isMended(path: string, skipped: readonly string[]): boolean {
  const packedAt = statOf(path)?.mtimeMs ?? 0;
  return skipped.some((file) => (statOf(file)?.ctimeMs ?? 0) > packedAt);
}

/** Keeps when a packed file was last used as its time of access, which many systems do not keep themselves. */
export async function touch(path: string): Promise<void> {
  const found = statOf(path);
  // Of a cache that others own and we only read, nothing is kept.
  if (found) await utimes(path, new Date(), found.mtime).catch(() => {});
}
