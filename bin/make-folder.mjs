// Part of the launcher: plain Node, no dependencies.
import { mkdir, stat } from 'node:fs/promises';
import { dirname } from 'node:path';

export async function makeFolder(path) {
  const made = await attempt(path);
  if (made || dirname(path) === path) return;
  await makeFolder(dirname(path));
  if (!(await attempt(path))) await mkdir(path);
}

/** False where the folder above is missing, or takes no folders. */
async function attempt(path) {
  try {
    await mkdir(path);
    return true;
  } catch (error) {
    if (error.code === 'ENOENT') return false;
    if ((await stat(path).catch(() => null))?.isDirectory()) return true;
    throw error;
  }
}
