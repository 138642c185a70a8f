import { readdir, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { findRun, isSetAside } from '../run-directory.ts';
import { noSpool } from './errors.ts';
import { hasSpool } from './read.ts';

const FOLDERS_DEEP = 3;

/**
 * Directories of the runs that have a spool: each path is such a run, a folder that is searched for them (three levels
 * deep, in natural order of names), or the name of a run below `root`.
 *
 * @throws {TailmixError} SPOOL_MISSING, RUN_MISSING
 */
export async function findSpools(paths: readonly string[], root = 'runs'): Promise<string[]> {
  const found = new Set<string>();
  for (const path of paths) {
    const isFolder = await stat(path).then(
      (entry) => entry.isDirectory(),
      () => false,
    );
    const directory = isFolder ? resolve(path) : await findRun(path, root);
    const runs = await spoolsBelow(directory, FOLDERS_DEEP);
    if (runs.length === 0) throw noSpool(directory);
    for (const run of runs) found.add(run);
  }
  return [...found];
}

/** A run may hold others: those of a sweep are parts of it. */
async function spoolsBelow(directory: string, deep: number): Promise<string[]> {
  const found = hasSpool(directory) ? [directory] : [];
  if (deep === 0) return found;
  const entries = await readdir(directory, { withFileTypes: true }).catch(() => []);
  const folders = entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
  for (const name of folders.sort((a, b) => a.localeCompare(b, 'en', { numeric: true }))) {
    if (name.startsWith('.') || name === 'node_modules' || isSetAside(name)) continue;
    found.push(...(await spoolsBelow(join(directory, name), deep - 1)));
  }
  return found;
}
