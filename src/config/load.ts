import { existsSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import process from 'node:process';
import { displayPath } from './display.ts';
import { configIsSweep, configMissing, type Problem } from './errors.ts';
import { readLayers } from './extends.ts';
import { applyOverrides, type Override, parseSetting } from './overrides.ts';
import type { Layer } from './read-layer.ts';
import { type ConfigContext, type Origins, resolveTree } from './resolve.ts';
import { findConfig } from './search.ts';
import { formatPath, mergeTrees, type Path, type Tree, valueAt } from './tree.ts';
import type { ResolvedConfig } from './types.ts';

/** What {@link loadConfig} needs beside the file. */
export interface LoadContext extends ConfigContext {
  /** `--set` values, `a.b=value`; later ones win. */
  set?: readonly string[];
  /** Other options of the command line, which win over `set`; a problem among them is told with all others. */
  overrides?: readonly (Override | Problem)[];
}

/**
 * Reads a run's config: the file and what it extends, then `--set`, then defaults.
 *
 * @param path a config file; without one it is searched for from the working directory up (cosmiconfig).
 * @throws {TailmixError} CONFIG_INVALID with everything that is wrong, CONFIG_NOT_FOUND, CONFIG_SYNTAX and the like.
 */
export async function loadConfig(
  path: string | undefined,
  { set = [], overrides = [], ...context }: LoadContext,
): Promise<ResolvedConfig> {
  const file = path === undefined ? await findConfig() : resolve(path);
  if (!existsSync(file)) throw configMissing(displayPath(file));
  const layers = await readLayers(file, context.registry);
  const last = layers.at(-1)!;
  if (Array.isArray(last.tree.configs)) throw configIsSweep(displayPath(last.file));
  const merged = layers.reduce<Tree>((base, { tree }) => mergeTrees(base, tree), {});
  const settings = [...set.map(parseSetting), ...overrides];
  const problems = settings.filter((setting): setting is Problem => 'message' in setting);
  const fitting = settings.filter((setting): setting is Override => !('message' in setting));
  const applied = applyOverrides(merged, fitting, context.defaults ?? []);
  return resolveTree(applied.tree, {
    ...context,
    path: file,
    origins: originsOf(layers, applied.labels),
    problems: [...problems, ...applied.problems],
  });
}

/** Asks the nearest place first: the value itself, then what it is in; of files the one that won. */
function originsOf(layers: readonly Layer[], labels: ReadonlyMap<string, string>): Origins {
  const find = (path: Path): { label: string } | { layer: Layer; at: Path } => {
    for (let length = path.length; length > 0; length--) {
      const at = path.slice(0, length);
      const label = labels.get(formatPath(at));
      if (label) return { label };
      const layer = layers.findLast(({ tree }) => valueAt(tree, at) !== undefined);
      if (layer) return { layer, at };
      const below = [...labels].find(([key]) => key.startsWith(formatPath(at)));
      if (below) return { label: below[1] };
    }
    return { layer: layers.at(-1)!, at: [] };
  };
  return {
    where(path) {
      const found = find(path);
      if ('label' in found) return found.label;
      const line = found.layer.lineOf(found.at);
      return `${displayPath(found.layer.file)}${line === null ? '' : `:${line}`}`;
    },
    directory(path) {
      const found = find(path);
      return 'label' in found ? process.cwd() : dirname(found.layer.file);
    },
  };
}
