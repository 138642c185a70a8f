import { createHash } from 'node:crypto';
import { type Dirent, readdirSync, realpathSync, type Stats, statSync } from 'node:fs';
import { extname, join, relative } from 'node:path';
import { emptyFolder, folderLoop, folderMissing, noClasses, unknownClass } from '../errors.ts';
import type { ImageList } from '../types.ts';

/** File names that are images; the list of torchvision's ImageFolder. */
const EXTENSIONS = new Set(['.jpg', '.jpeg', '.png', '.ppm', '.bmp', '.pgm', '.tif', '.tiff', '.webp']);

/** The images of one split that lies in a folder per class: in class order, within a class sorted by path. */
export interface ClassFolders extends ImageList {
  /** Sorted folder names, which is label order. */
  classes: string[];
}

/** How the class folders of a split are read. */
export interface ListOptions {
  /** Label order. Default: the folders' own names, sorted. */
  classes?: readonly string[];
  /** Whether a class may have no image. Default: no. */
  mayLackClasses?: boolean;
}

/**
 * Lists a split in class folders, `<folder>/<class>/…`, in the order of torchvision's ImageFolder: classes by name, files
 * of a class by path, symbolic links followed.
 */
export function listClassFolders(folder: string, { classes, mayLackClasses = false }: ListOptions = {}): ClassFolders {
  const entries = readFolder(folder);
  if (entries === null) throw folderMissing(folder);
  const names = entries.filter((entry) => isFolder(folder, entry)).map((entry) => entry.name);
  if (names.length === 0) throw noClasses(folder);
  const labelled = classes ?? names.sort(byCodePoint);
  const stray = names.find((name) => !labelled.includes(name));
  if (stray !== undefined) throw unknownClass(join(folder, stray), labelled);
  const above = [realpathSync(folder)];
  const files = labelled.flatMap((name, label) => {
    const paths = folderExists(join(folder, name)) ? listImages(join(folder, name), above) : [];
    if (paths.length === 0 && !mayLackClasses) throw emptyFolder(join(folder, name), [...EXTENSIONS]);
    return paths.map((path) => ({ path, label }));
  });
  if (files.length === 0) throw emptyFolder(folder, [...EXTENSIONS]);
  return { folder, classes: [...labelled], files };
}

/** Whether a folder exists. */
export function folderExists(path: string): boolean {
  return statOf(path)?.isDirectory() ?? false;
}

/** Null for what is not there, a link that leads nowhere, or to itself. */
export function statOf(path: string): Stats | null {
  try {
    return statSync(path);
  } catch {
    return null;
  }
}

/** SHA-256 over names, sizes and times of the files and over settings: what a packed file is keyed by. */
export function fingerprint({ folder, files }: ClassFolders, settings: unknown): string {
  const hash = createHash('sha256').update(JSON.stringify(settings));
  for (const { path, label } of files) {
    // A link to nothing is told when its turn comes to be read.
    const { size, mtimeMs } = statOf(path) ?? { size: -1, mtimeMs: -1 };
    hash.update(`${relative(folder, path)}\0${label}\0${size}\0${mtimeMs}\n`);
  }
  return hash.digest('hex');
}

/**
 * Images of one class, in sub-folders too.
 *
 * @param above - the folders that `folder` lies in, links resolved
 */
function listImages(folder: string, above: readonly string[]): string[] {
  const real = realpathSync(folder);
  if (above.includes(real)) throw folderLoop(folder, real);
  const within = [...above, real];
  const entries = readFolder(folder) ?? [];
  entries.sort((a, b) => byCodePoint(a.name, b.name));
  const [images, deeper]: [string[], string[]] = [[], []];
  for (const entry of entries) {
    const path = join(folder, entry.name);
    if (isFolder(folder, entry)) deeper.push(...listImages(path, within));
    else if (EXTENSIONS.has(extname(entry.name).toLowerCase())) images.push(path);
  }
  return [...images, ...deeper];
}

function readFolder(folder: string): Dirent[] | null {
  try {
    return readdirSync(folder, { withFileTypes: true });
  } catch {
    return null;
  }
}

function isFolder(folder: string, entry: Dirent): boolean {
  return entry.isDirectory() || (entry.isSymbolicLink() && folderExists(join(folder, entry.name)));
}

/** As Python sorts strings, and whatever the locale. */
export function byCodePoint(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}
