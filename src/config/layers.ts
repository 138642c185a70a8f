import { existsSync } from 'node:fs';
import { basename, dirname, extname, resolve } from 'node:path';
import process from 'node:process';
import { displayPath } from '../errors.ts';
import { configMissing } from './errors.ts';
import type { Layer } from './read-layer.ts';
import { formatPath, type Path, valueAt } from './tree.ts';

/** Where the values of a config were written, for messages and relative paths. */
export interface Origins {
  /** For example `configs/run.yaml:12`; null for a programmatic config. */
  where(path: Path): string | null;
  /** Folder that paths are relative to. */
  directory(path: Path): string;
}

/** Where a path is written in a layer, for messages: the file, and the line where it is known. */
export function placeOf(layer: Layer, path: Path): string {
  const line = layer.lineOf(path);
  return `${displayPath(layer.file)}${line === null ? '' : `:${line}`}`;
}

/**
 * Absolute paths of files that a command names.
 *
 * @throws {TailmixError} CONFIG_MISSING
 */
export function filesOf(paths: readonly string[]): string[] {
  const files = paths.map((path) => resolve(path));
  const missing = files.find((file) => !existsSync(file));
  if (missing !== undefined) throw configMissing(displayPath(missing));
  return files;
}

/** `remix-cifar10-exp-100` for `methods/remix.yaml` and `data/cifar10-exp-100.yaml`. */
export const joinedName = (files: readonly string[]): string =>
  files.map((file) => basename(file, extname(file))).join('-');

/**
 * Where each value comes from. The nearest place counts: the value itself, then what it is in; of layers the last one
 * that has it.
 *
 * @param labels - values that the command line set, by path: `--set train.epochs=3`.
 */
export function originsOf(layers: readonly Layer[], labels: ReadonlyMap<string, string> = new Map()): Origins {
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
      return 'label' in found ? found.label : placeOf(found.layer, found.at);
    },
    directory(path) {
      const found = find(path);
      return 'label' in found ? process.cwd() : dirname(found.layer.file);
    },
  };
}
