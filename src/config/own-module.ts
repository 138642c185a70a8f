import { isAbsolute, join, resolve } from 'node:path';
import { displayPath } from '../errors.ts';
import { type KeptSources, type OwnSource, warnChanged } from '../tracking/sources.ts';
import { findFile, portable } from '../util/find-file.ts';
import { runNotTrusted } from './errors.ts';
import { importModule, reasonOf, resolvePackage } from './import-module.ts';
import { hashModule, packageVersion, readModule } from './source-hash.ts';
import type { PluginRegistry } from './types.ts';

/** What a module of the user's own holds. */
export interface OwnModule {
  /** Its default export; undefined without one. */
  value: unknown;
  /** How a config in any folder of the project can name it. */
  name: string;
  /** SHA-256 of the file and of what it imports, hex; of a package its version. Null for a package that has none. */
  source: string | null;
}

/** Whether a module is named by a path, not as a package. */
export const isPath = (specifier: string): boolean => /^\.{1,2}[/\\]/.test(specifier) || isAbsolute(specifier);

/** Where a module of a user's own is named. */
export interface ModuleContext {
  registry: PluginRegistry;
  /** Folder that paths are relative to. */
  directory: string;
  /** Gets what was loaded from files. */
  modules?: OwnSource[] | undefined;
  /** Of a trained run: what was kept with it, in the place of what has changed since. */
  run?: RunSources | undefined;
}

/** Which of two sources: the one that was kept with a run, or the one that lies in the working directory now. */
export type SourceChoice = 'kept' | 'current';

/** Code that a run keeps, and whether it may be run. */
export interface RunSources extends KeptSources {
  /** For messages. */
  directory: string;
  /** Whether the user trusts it, whoever it is from. */
  trust: boolean;
  /** Which is used where that in the working directory is not the kept one. */
  prefers: SourceChoice;
  /** Whether it is told where they differ. */
  tells: boolean;
}

/**
 * Loads a module that a config names: a path relative to `directory`, or a package. Of a trained run it is the kept one, where
 * that in the working directory is not the same, unless the run prefers that.
 *
 * @returns null where there is none; a message where it does not load
 * @throws {TailmixError} RUN_NOT_TRUSTED
 */
export async function loadOwnModule(
  specifier: string,
  { directory, registry, modules, run }: ModuleContext,
): Promise<OwnModule | { message: string } | null> {
  if (run && isPath(specifier)) return loadKept(specifier, registry, run);
  const parent = join(directory, 'tailmix.config.js');
  const file = isPath(specifier) ? findFile(specifier, directory) : await resolvePackage(specifier, parent);
  if (file === null) return null;
  try {
    const module = await importModule(isPath(specifier) ? file : specifier, parent, registry);
    if (!isPath(specifier))
      return { value: module.default, name: specifier, source: await packageVersion(specifier, parent) };
    const { source, files } = await readModule(file);
    modules?.push({ place: portable(file), source, files });
    return { value: module.default, name: portable(file), source };
  } catch (error) {
    return { message: `${specifier}: expected a module that loads; it threw: ${reasonOf(error)}` };
  }
}

async function loadKept(
  place: string,
  registry: PluginRegistry,
  run: RunSources,
): Promise<OwnModule | { message: string } | null> {
  const kept = run.module(place);
  if (!run.trust && !(kept && run.isOwn)) throw runNotTrusted(run.directory, place);
  const current = findFile(place, '.');
  const source = current && (await hashModule(current));
  if (kept === null && current === null) return null;
  const isChanged = kept !== null && source !== null && source !== kept.source;
  if (isChanged && run.tells) warnChanged(place, run.prefers);
  const isSame = kept === null || source === kept.source || (isChanged && run.prefers === 'current');
  const file = isSame ? current! : kept.file;
  if (!isSame && (await hashModule(file)) !== kept.source) {
    const why =
      'some of what it imports is not kept: it is named by an absolute path, or is a package, of which there may be another version now';
    return { message: `${place}: expected the module that was kept with the run to be whole; ${why}.` };
  }
  try {
    const { default: value } = await importModule(file, join(file, '../tailmix.config.js'), registry);
    return { value, name: place, source: isSame ? source : kept.source };
  } catch (error) {
    return { message: `${place}: expected a module that loads; it threw: ${reasonOf(error)}` };
  }
}

/** For a path at which nothing lies. */
export const noFile = (path: string, directory: string): string =>
  `expected a file at ${displayPath(resolve(directory, path))}; there is none.`;
