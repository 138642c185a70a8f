import { join } from 'node:path';
import { cacheUnwritable, nothingReadable } from '../errors.ts';
import { type ClassFolders, fingerprint } from '../sets/class-folders.ts';
import type { ReadContext, Split } from '../types.ts';
import { type DecodeOptions, decodeFiles } from './decode.ts';
import { openPacked, type Packed, writePacked } from './packed.ts';

/**
 * Opens a split in class folders through its packed file, which is made first where there is none for these files and
 * settings.
 */
export async function readClassFolders(
  name: Split['name'],
  folders: ClassFolders,
  options: DecodeOptions,
  { cache, onProgress }: ReadContext,
): Promise<{ split: Split; skipped: readonly string[] }> {
  const { shape, resize, onCorrupt } = options;
  const key = fingerprint(folders, { shape, resize, onCorrupt });
  const path = join(cache, `${name}-${key.slice(0, 16)}.pack`);
  const packed = (await openPacked(path, key)) ?? (await pack());
  const { labels, pixels, metadata } = packed;
  if (labels.length === 0) throw nothingReadable(folders.folder, metadata.skipped.length);
  const left = new Set(metadata.skipped);
  const files = folders.files.map((file) => file.path).filter((file) => !left.has(file));
  const unreadable = metadata.skipped.map((file, i) => ({ path: file, reason: metadata.reasons?.[i] ?? '' }));
  return { split: { name, labels, pixels, files, unreadable }, skipped: metadata.skipped };

  async function pack(): Promise<Packed> {
    await writePacked(path, { key, shape }, decodeFiles(folders, options, onProgress));
    const made = await openPacked(path, key);
    if (made === null) throw cacheUnwritable(path);
    return made;
  }
}
