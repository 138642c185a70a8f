import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { cacheUnwritable, nothingReadable } from '../errors.ts';
import { type ClassFolders, fingerprint, statOf } from '../sets/class-folders.ts';
import type { ImageList, ReadContext, Split } from '../types.ts';
import { type DecodeOptions, decodeFiles, KERNEL } from './decode.ts';
import { openPacked, type Packed, writePacked } from './packed.ts';

/** Opens a split in class folders; a file that changes, comes or goes makes its packed file anew. */
export const readClassFolders = (
  name: Split['name'],
  folders: ClassFolders,
  options: DecodeOptions,
  context: ReadContext,
): Promise<Split> => readPacked(name, folders, fingerprint(folders, settingsOf(options)), options, context);

/**
 * Opens a split whose files are listed in one file; what changes in them under their names is not seen.
 *
 * @param source - hash of what decides which files are read, and where
 */
export const readListed = (
  name: Split['name'],
  list: ImageList,
  source: string,
  options: DecodeOptions,
  context: ReadContext,
): Promise<Split> => {
  const key = createHash('sha256').update(JSON.stringify([source, settingsOf(options)]));
  return readPacked(name, list, key.digest('hex'), options, context);
};

const settingsOf = ({ shape, resize, onCorrupt }: DecodeOptions) => ({ shape, resize: resize && KERNEL, onCorrupt });

/**
 * Opens a split through its packed file, which is made first where there is none for this list and these settings.
 *
 * @param key - hash of everything that decides labels and pixels
 */
async function readPacked(
  name: Split['name'],
  list: ImageList,
  key: string,
  options: DecodeOptions,
  { cache, fresh = false, onProgress }: ReadContext,
): Promise<Split> {
  const path = join(cache, `${name}-${key.slice(0, 16)}.pack`);
  const found = fresh ? null : await openPacked(path, key);
  const packed = found === null || isMended(path, found.metadata.skipped) ? await pack() : found;
  const { labels, pixels, metadata } = packed;
  if (labels.length === 0) throw nothingReadable(list.folder, metadata.skipped.length);
  const left = new Set(metadata.skipped);
  const files = list.files.map((file) => file.path).filter((file) => !left.has(file));
  const unreadable = metadata.skipped.map((file, i) => ({ path: file, reason: metadata.reasons?.[i] ?? '' }));
  return { name, labels, pixels: { ...pixels, shape: metadata.shape }, files, unreadable };

  async function pack(): Promise<Packed> {
    await writePacked(path, { key, shape: options.shape }, decodeFiles(list, options, onProgress));
    const made = await openPacked(path, key);
    if (made === null) throw cacheUnwritable(path);
    return made;
  }
}

/** Whether a file that was left out has come or changed since. */
function isMended(path: string, skipped: readonly string[]): boolean {
  const changedAt = (file: string): number => statOf(file)?.ctimeMs ?? 0;
  return skipped.some((file) => changedAt(file) > changedAt(path));
}
