import { existsSync } from 'node:fs';
import { isAbsolute, join, relative, resolve } from 'node:path';
import process from 'node:process';
import { displayPath } from '../errors.ts';
import { importModule, reasonOf, resolvePackage } from './import-module.ts';
import { hashModule } from './source-hash.ts';
import type { PluginRegistry } from './types.ts';

/** What a module of the user's own holds. */
export interface OwnModule {
  /** Its default export; undefined without one. */
  value: unknown;
  /** How a config in any folder of the project can name it. */
  name: string;
  /** SHA-256 of the file and of what it imports by relative paths, hex; null for a package. */
  source: string | null;
}

/** Whether a module is named by a path, not as a package. */
export const isPath = (specifier: string): boolean => /^\.{1,2}[/\\]/.test(specifier) || isAbsolute(specifier);

/**
 * Loads a module that a config names: a path relative to `directory`, or a package.
 *
 * @returns null where there is none; a message where it does not load
 */
export async function loadOwnModule(
  specifier: string,
  { directory, registry }: { directory: string; registry: PluginRegistry },
): Promise<OwnModule | { message: string } | null> {
  const parent = join(directory, 'tailmix.config.js');
  const file = isPath(specifier) ? findFile(specifier, directory) : await resolvePackage(specifier, parent);
  if (file === null) return null;
  try {
    const module = await importModule(isPath(specifier) ? file : specifier, parent, registry);
    const named = isPath(specifier) ? { name: portable(file), source: await hashModule(file) } : null;
    return { value: module.default, ...(named ?? { name: specifier, source: null }) };
  } catch (error) {
    return { message: `${specifier}: expected a module that loads; it threw: ${reasonOf(error)}` };
  }
}

/** A path: relative to the config that names it, else (the config of a run directory) to the working directory. */
export function findFile(path: string, directory: string): string | null {
  return [resolve(directory, path), resolve(path)].find((file) => existsSync(file)) ?? null;
}

/** A file as the logged config names it: from the working directory where it lies below. */
export const portable = (file: string): string => {
  const path = relative(process.cwd(), file).replaceAll('\\', '/');
  return path.startsWith('../') ? path : `./${path}`;
};

/** For a path at which nothing lies. */
export const noFile = (path: string, directory: string): string =>
  `expected a file at ${displayPath(resolve(directory, path))}; there is none.`;
