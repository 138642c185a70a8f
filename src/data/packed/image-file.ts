import { readFile, stat } from 'node:fs/promises';
import type { TailmixError } from '../../errors.ts';
import { imageRefused } from './errors.ts';

/** Largest file that is taken for an image, in bytes. */
const LARGEST_FILE = 2 ** 29;

/** Formats that are decoded, by the bytes that their files begin with. */
const marks: readonly { at: number; mark: string }[] = [
  { at: 0, mark: '\xff\xd8\xff' }, // JPEG
  { at: 0, mark: '\x89PNG\r\n\x1a\n' },
  { at: 8, mark: 'WEBP' },
  { at: 0, mark: 'II*\0' }, // TIFF
  { at: 0, mark: 'MM\0*' }, // TIFF, big-endian
  { at: 0, mark: 'GIF8' },
  { at: 4, mark: 'ftypavif' },
];

/** The error for a file that is no image: an image of a data set, or one that is to be classified. */
export type BadImage = (path: string, reason: string, cause: unknown) => TailmixError;

/**
 * Reads a file whose beginning says that it is an image of pixels, whatever its name. What only waits (a pipe), never
 * ends (a device), or is a program of its own (SVG) is refused unread or undecoded.
 *
 * @param bad - what is thrown of a file that is none
 * @throws {TailmixError} DATA_READ where the system fails, which says nothing of the file
 */
export async function readImageFile(path: string, bad: BadImage): Promise<Buffer> {
  const refused = (error: NodeJS.ErrnoException): never => {
    const reason = reasons[error.code ?? ''];
    throw reason === undefined ? imageRefused(path, error) : bad(path, reason, error);
  };
  const found = await stat(path).catch(refused);
  if (!found.isFile()) throw bad(path, found.isDirectory() ? 'a folder' : 'a pipe, a socket or a device', null);
  if (found.size === 0) throw bad(path, 'a file of no bytes', null);
  if (found.size > LARGEST_FILE) throw bad(path, `a file of ${Math.round(found.size / 1e6)} MB`, null);
  const bytes = await readFile(path).catch(refused);
  checkMark(path, bytes, bad);
  return bytes;
}

/** Refuses bytes whose beginning is not that of an image of pixels. */
export function checkMark(name: string, bytes: Buffer, bad: BadImage): void {
  const head = bytes.toString('latin1', 0, 16);
  if (marks.every(({ at, mark }) => !head.startsWith(mark, at))) {
    throw bad(name, 'something else than JPEG, PNG, WebP, TIFF, GIF or AVIF', null);
  }
}

/** What the system says of a file that will say the same tomorrow. */
const reasons: Record<string, string> = {
  ENOENT: 'no file of that name, or a link to one that is gone',
  ELOOP: 'a link that leads back to itself',
  ENOTDIR: 'a path through a file',
  ENAMETOOLONG: 'a name that is too long',
};
