import { readdir, stat } from 'node:fs/promises';
import { extname, join } from 'node:path';
import { isJunk } from '../data/sets/left-out.ts';
import { noImages } from './errors.ts';
import { tell } from './output.ts';

/** What files of a folder are taken for images. A file that is named itself may have any name. */
const EXTENSIONS = new Set(['.jpg', '.jpeg', '.jfif', '.png', '.webp', '.tif', '.tiff', '.gif', '.avif']);

/**
 * Files as they are, folders as the images in them, by name.
 *
 * @param recursive - in sub-folders too; else these are counted
 * @throws {TailmixError} PREDICT_EMPTY for a folder without an image
 */
export async function listImages(paths: readonly string[], recursive: boolean): Promise<string[]> {
  const images: string[] = [];
  for (const path of paths) {
    const isFolder = (await stat(path).catch(() => null))?.isDirectory() ?? false;
    if (!isFolder) {
      images.push(path);
      continue;
    }
    const found = await imagesIn(path, recursive);
    if (found.images.length === 0) throw noImages(path, found.folders, recursive);
    if (found.folders > 0 && !recursive) {
      const several = found.folders > 1;
      const left = several ? `${found.folders} folders in it are left out` : '1 folder in it is left out';
      tell(`${path}: ${left}; --recursive reads ${several ? 'them' : 'it'}`);
    }
    images.push(...found.images);
  }
  return images;
}

async function imagesIn(folder: string, recursive: boolean): Promise<{ images: string[]; folders: number }> {
  const entries = (await readdir(folder, { withFileTypes: true })).filter(({ name }) => !isJunk(name));
  entries.sort((a, b) => (a.name < b.name ? -1 : 1));
  const folders = entries.filter((entry) => entry.isDirectory());
  const images = entries
    .filter((entry) => !entry.isDirectory() && EXTENSIONS.has(extname(entry.name).toLowerCase()))
    .map(({ name }) => join(folder, name));
  if (recursive) for (const { name } of folders) images.push(...(await imagesIn(join(folder, name), true)).images);
  return { images, folders: folders.length };
}
