import { existsSync } from 'node:fs';
import { relative, resolve } from 'node:path';
import process from 'node:process';

/** A path: relative to the config that names it, else (the config of a run directory) to the working directory. */
export function findFile(path: string, directory: string): string | null {
  return [resolve(directory, path), resolve(path)].find((file) => existsSync(file)) ?? null;
}

/** A file as the logged config names it: from the working directory where it lies below. */
export const portable = (file: string): string => {
  const path = relative(process.cwd(), file).replaceAll('\\', '/');
  return path.startsWith('../') ? path : `./${path}`;
};
