import { lstat, readdir } from 'node:fs/promises';
import { join } from 'node:path';

/** Bytes of a file, or of everything in a folder; of a link those of the link. What goes meanwhile counts nothing. */
export async function bytesOf(path: string): Promise<number> {
  try {
    const found = await lstat(path);
    if (!found.isDirectory()) return found.size;
    const sizes = await Promise.all((await readdir(path)).map((entry) => bytesOf(join(path, entry))));
    return sizes.reduce((a, b) => a + b, 0);
  } catch {
    return 0;
  }
}
