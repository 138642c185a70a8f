import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { FileCheck } from '../../download/download.ts';

/** An archive (tar, gzipped) that a data set, or a part of it, comes in. */
export interface Archive extends FileCheck {
  /** Name under which it was published. */
  file: string;
  /** Mirrors, in the order in which they are asked. */
  urls: readonly string[];
  /** Most that it may unpack to: bytes of all files, and files and folders. */
  limits: UnpackLimits;
  /** Where its content may lie in it, `''` at its top; the first that fits is taken. */
  from: readonly string[];
  /** Where that goes, under the data root. It is there whole or not at all. */
  to: string;
  /** What must be in it: bytes of a file, or entries of a folder, by path; of `''` those of the content itself. */
  holds: Readonly<Record<string, number>>;
  /** Bytes, roughly, where {@link FileCheck.size} is not published (default 0). */
  about?: number;
  /** Whether it can be left out (`--without-images`). */
  optional?: boolean;
}

/** Bounds of what an archive unpacks to. */
export interface UnpackLimits {
  bytes: number;
  /** Files and folders. */
  entries: number;
}

/** Where a data set is fetched from. */
export interface DataSource {
  archives: readonly Archive[];
  /**
   * Paths under the root, as the reader looks for them, that only a user has put there: the set then lies in another layout than
   * the archives', and is read as it lies. Default: none.
   */
  elsewhere?: readonly string[];
  /** Licence, and whose it is, in a line. */
  terms: string;
}

/**
 * What is missing of an archive's content.
 *
 * @returns null when all is there
 */
export async function whatIsMissing(
  path: string,
  holds: Archive['holds'],
): Promise<{ expected: string; got: string } | null> {
  for (const [inner, size] of Object.entries(holds)) {
    const place = join(path, inner);
    const shown = inner === '' ? 'it' : inner;
    const found = await stat(place).catch(() => null);
    if (found === null) return { expected: inner === '' ? 'content' : inner, got: 'nothing of that name' };
    const isFolder = found.isDirectory();
    // Hidden files are put into folders by those who look at them.
    const got = isFolder ? (await readdir(place)).filter((name) => !name.startsWith('.')).length : found.size;
    const unit = isFolder ? 'entries' : 'bytes';
    if (got !== size) return { expected: `${shown} with ${size} ${unit}`, got: `${got} ${unit}` };
  }
  return null;
}
