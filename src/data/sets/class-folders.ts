import { createHash } from 'node:crypto';
import { type Dirent, lstatSync, readdirSync, realpathSync, type Stats, statSync } from 'node:fs';
import { dirname, extname, join, relative } from 'node:path';
import { TailmixError } from '../../errors.ts';
import {
  classInTwoForms,
  emptyFolder,
  folderLoop,
  folderMissing,
  folderUnreadable,
  linkToNothing,
  nameNotUnicode,
  noClasses,
  unknownClass,
} from '../errors.ts';
import type { ImageList } from '../types.ts';
import { addOther, isJunk, type LeftOut, nothingLeftOut } from './left-out.ts';

/** File names that are images; the list of torchvision's ImageFolder. */
const EXTENSIONS = new Set(['.jpg', '.jpeg', '.png', '.ppm', '.bmp', '.pgm', '.tif', '.tiff', '.webp']);

/** The images of one split that lies in a folder per class: in class order, within a class sorted by path. */
export interface ClassFolders extends ImageList {
  /** Sorted folder names, which is label order. */
  classes: string[];
  leftOut: LeftOut;
}

/** How the class folders of a split are read. */
export interface ListOptions {
  /** Label order. Default: the folders' own names, sorted. */
  classes?: readonly string[];
  /** Whether a class may have no image. Default: no. */
  mayLackClasses?: boolean;
  /** Folders without an image are no classes. Default: they are an error. */
  dropEmpty?: boolean;
}

/**
 * Lists a split in class folders, `<folder>/<class>/…`, in the order of torchvision's ImageFolder: classes by name, files
 * of a class by path, symbolic links followed. What systems leave in folders is left out.
 */
export function listClassFolders(
  folder: string,
  { classes, mayLackClasses = false, dropEmpty = false }: ListOptions = {},
): ClassFolders {
  const leftOut = nothingLeftOut();
  const entries = readFolder(folder);
  if (entries === null) throw folderMissing(folder);
  const kept = withoutJunk(entries, leftOut);
  const isOwn = new Map(kept.map((entry) => [entry.name, isFolder(folder, entry)]));
  const names = kept.map(({ name }) => name).filter((name) => isOwn.get(name));
  leftOut.loose = kept.filter(({ name }) => !isOwn.get(name) && isImage(name)).length;
  if (names.length === 0) throw noClasses(folder);
  const labelled = classes ?? names.sort(byCodePoint);
  expectOneForm([...labelled, ...names], (name) => join(folder, name));
  const known = new Set(labelled);
  const stray = names.find((name) => !known.has(name));
  if (stray !== undefined) throw unknownClass(join(folder, stray), labelled);
  const above = [realpathSync(folder)];
  const found = labelled.flatMap((name) => {
    const paths = folderExists(join(folder, name)) ? listImages(join(folder, name), above, leftOut) : [];
    if (paths.length > 0 || mayLackClasses) return [{ name, paths }];
    if (!dropEmpty) throw emptyFolder(join(folder, name), [...EXTENSIONS]);
    leftOut.empty.push(name);
    return [];
  });
  const files = found.flatMap(({ paths }, label) => paths.map((path) => ({ path, label })));
  if (files.length === 0) throw emptyFolder(folder, [...EXTENSIONS]);
  return { folder, base: folder, classes: found.map(({ name }) => name), files, leftOut };
}

/** Whether a folder exists. */
export function folderExists(path: string): boolean {
  return statOf(path)?.isDirectory() ?? false;
}

/** Whether there is a folder with a folder in it. */
export const holdsFolders = (path: string): boolean =>
  (readFolder(path) ?? []).some((entry) => !isJunk(entry.name) && isFolder(path, entry));

/** What the system says of a path that leads to nothing: not there, below a file, or a link to itself. */
const ABSENT = new Set(['ENOENT', 'ENOTDIR', 'ELOOP']);

const isAbsent = (error: unknown): boolean => ABSENT.has((error as NodeJS.ErrnoException).code ?? '');

/**
 * Null for what is not there, a link that leads nowhere, or to itself.
 *
 * @throws {TailmixError} DATA_FOLDER where that cannot be known: a folder above may not be searched.
 */
export function statOf(path: string): Stats | null {
  try {
    return statSync(path);
  } catch (error) {
    if (isAbsent(error)) return null;
    throw folderUnreadable(dirname(path), error);
  }
}

/**
 * SHA-256 over settings, the real path of `base` and, of each file, its name below it, label, size, times of content and of
 * inode in nanoseconds, and inode: what a packed file is keyed by. Two sets share a key only if they are one.
 */
export function fingerprint({ base, files }: ImageList, settings: unknown): string {
  const hash = createHash('sha256').update(JSON.stringify([realpathSync(base), settings]));
  for (const { path, label } of files) hash.update(`${relative(base, path)}\0${label}\0${stampOf(path)}\n`);
  return hash.digest('hex');
}

/** What tells that a file is the one that it was; a link to nothing is told when its turn comes to be read. */
function stampOf(path: string): string {
  try {
    const { size, mtimeNs, ctimeNs, ino } = statSync(path, { bigint: true });
    return `${size} ${mtimeNs} ${ctimeNs} ${ino}`;
  } catch (error) {
    if (isAbsent(error)) return 'none';
    throw folderUnreadable(dirname(path), error);
  }
}

/**
 * Images of one class, in sub-folders too.
 *
 * @param above - the folders that `folder` lies in, links resolved
 */
function listImages(folder: string, above: readonly string[], leftOut: LeftOut): string[] {
  const real = realpathSync(folder);
  if (above.includes(real)) throw folderLoop(folder, real);
  const within = [...above, real];
  const entries = withoutJunk(readFolder(folder) ?? [], leftOut);
  entries.sort((a, b) => byCodePoint(a.name, b.name));
  const [images, deeper]: [string[], string[]] = [[], []];
  for (const entry of entries) {
    const path = join(folder, entry.name);
    if (isFolder(folder, entry)) deeper.push(...listImages(path, within, leftOut));
    else if (isImage(entry.name)) images.push(path);
    else addOther(leftOut, entry.name);
  }
  return [...images, ...deeper];
}

const isImage = (name: string): boolean => EXTENSIONS.has(extname(name).toLowerCase());

function withoutJunk(entries: readonly Dirent[], leftOut: LeftOut): Dirent[] {
  const kept = entries.filter(({ name }) => !isJunk(name));
  leftOut.junk += entries.length - kept.length;
  return kept;
}

/** Null for a folder that is not there; one that may not be read is never passed over. */
function readFolder(folder: string): Dirent[] | null {
  try {
    const entries = readdirSync(folder, { withFileTypes: true });
    const unread = entries.find(({ name }) => name.includes(REPLACED) && !existsAsNamed(join(folder, name)));
    if (unread !== undefined) throw nameNotUnicode(join(folder, unread.name));
    return entries;
  } catch (error) {
    if (isAbsent(error)) return null;
    throw error instanceof TailmixError ? error : folderUnreadable(folder, error);
  }
}

/** What stands for bytes of a name that are not UTF-8. */
const REPLACED = '\ufffd';

const existsAsNamed = (path: string): boolean => lstatSync(path, { throwIfNoEntry: false }) !== undefined;

/**
 * No two names may differ in their Unicode normal form alone, as the same name from macOS and from Linux may.
 *
 * @param where - says where a name is
 * @throws {TailmixError} DATA_CLASS
 */
export function expectOneForm(names: readonly string[], where: (name: string) => string): void {
  const written = new Map<string, string>();
  for (const name of names) {
    const form = name.normalize('NFC');
    const twin = written.get(form) ?? name;
    if (twin !== name) throw classInTwoForms(where(name), twin);
    written.set(form, name);
  }
}

/** @throws {TailmixError} DATA_FOLDER for a link to nothing that may have been a folder of images. */
function isFolder(folder: string, entry: Dirent): boolean {
  if (!entry.isSymbolicLink()) return entry.isDirectory();
  const path = join(folder, entry.name);
  const target = statOf(path);
  if (target === null && extname(entry.name) === '') throw linkToNothing(path);
  return target?.isDirectory() ?? false;
}

/** As Python sorts strings, and whatever the locale. */
export function byCodePoint(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}
