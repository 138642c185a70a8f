import { isAbsolute, join, resolve } from 'node:path';
import { displayPath } from '../errors.ts';
import { findFile, portable } from '../util/find-file.ts';
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

/** For a path at which nothing lies. */
export const noFile = (path: string, directory: string): string =>
  `expected a file at ${displayPath(resolve(directory, path))}; there is none.`;
