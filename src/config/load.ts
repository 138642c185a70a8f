import { join } from 'node:path';
import { displayPath } from '../errors.ts';
import { runFiles } from '../tracking/run-files.ts';
import { openSources } from '../tracking/sources.ts';
import { configIsSweep, type Problem } from './errors.ts';
import { readLayers } from './extends.ts';
import { mergeLayers } from './inherit.ts';
import { filesOf, joinedName, originsOf } from './layers.ts';
import { applyOverrides, type Override, parseSetting } from './overrides.ts';
import type { SourceChoice } from './own-module.ts';
import { type ConfigContext, resolveTree } from './resolve.ts';
import { findConfig } from './search.ts';
import { isSweep } from './sweep-schema.ts';
import type { ResolvedConfig } from './types.ts';

/** What {@link loadConfig} needs in addition to the files. */
export interface LoadContext extends ConfigContext {
  /** `--set` values, `a.b=value`; later ones win. */
  set?: readonly string[];
  /** Other options of the command line, which win over `set`; a problem among them is reported with all others. */
  overrides?: readonly (Override | Problem)[];
}

/** What {@link loadRunConfig} needs. */
export interface RunContext extends Omit<LoadContext, 'run'> {
  /** Runs the run's own code, whoever it is from. Default: only if this user has trained it on this machine. */
  trust?: boolean | undefined;
  /** The run's own code where that in the working directory was changed since. Default: `kept`. */
  sources?: SourceChoice | undefined;
}

/**
 * Reads a run's config: its files and what they extend, then `--set`, then defaults. Several files are layers, as in
 * `extends`: later ones win. A run of several files that none of them names has their names, joined by dashes.
 *
 * @param paths - a config file, or several; without one it is searched for from the working directory up (cosmiconfig).
 * @throws {TailmixError} CONFIG_INVALID with everything that is wrong, CONFIG_NOT_FOUND, CONFIG_SYNTAX and the like.
 * @example
 * const { options, plugins } = await loadConfig(['remix.yaml', 'my-data.yaml'], { registry, defaults });
 */
export async function loadConfig(
  paths: string | readonly string[] | undefined,
  { set = [], overrides = [], ...context }: LoadContext,
): Promise<ResolvedConfig> {
  const given = typeof paths === 'string' ? [paths] : (paths ?? []);
  const files = given.length === 0 ? [await findConfig()] : filesOf(given);
  const layers = [];
  for (const file of files) {
    const own = await readLayers(file, context.registry);
    if (isSweep(own.at(-1)!.tree)) throw configIsSweep(displayPath(file));
    layers.push(...own);
  }
  const { tree: merged, layers: placed, problems: unfit } = mergeLayers(layers, context.defaults ?? []);
  const named = files.length > 1 && merged.name === undefined ? { name: joinedName(files), ...merged } : merged;
  const settings = [...set.map(parseSetting), ...overrides];
  const problems = settings.filter((setting): setting is Problem => 'message' in setting);
  const fitting = settings.filter((setting): setting is Override => !('message' in setting));
  const applied = applyOverrides(named, fitting, context.defaults ?? []);
  return resolveTree(applied.tree, {
    ...context,
    origins: originsOf(placed, applied.labels),
    problems: [...unfit, ...problems, ...applied.problems],
  });
}

/**
 * Reads the config of a trained run. Plugins, models and data sets of the user's own are those that were kept with it, where
 * what lies in the working directory is not the same, or with `sources: 'current'` those; that is told.
 *
 * @param tells - false: it is not
 * @throws {TailmixError} RUN_NOT_TRUSTED, RUN_DAMAGED, and as {@link loadConfig}
 */
export async function loadRunConfig(
  directory: string,
  { trust = false, sources = 'kept', ...context }: RunContext,
  tells = true,
): Promise<ResolvedConfig> {
  const run = { ...(await openSources(directory)), directory: displayPath(directory), trust, prefers: sources, tells };
  return loadConfig(join(directory, runFiles.config), { ...context, run });
}
