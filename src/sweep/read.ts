import type { z } from 'zod';
import { configInvalid } from '../config/errors.ts';
import { check, type Finding } from '../config/issues.ts';
import { filesOf, joinedName, type Origins, originsOf } from '../config/layers.ts';
import { type Layer, readLayer } from '../config/read-layer.ts';
import { findConfig } from '../config/search.ts';
import { isSweep, sweepOptions } from '../config/sweep-schema.ts';
import { formatPath, isMap, mergeTrees, type Path, parsePath, type Tree, valueAt } from '../config/tree.ts';
import type { PluginRegistry } from '../config/types.ts';
import { displayPath } from '../errors.ts';
import { type Cell, cellsOf, repeatedCells } from './cells.ts';
import { sweepIsRun } from './errors.ts';
import { type Variations, variedBy } from './variations.ts';

/** A sweep as its files say it. */
export interface Sweep {
  name: string;
  options: z.output<typeof sweepOptions>;
  /** The runs but for seeds and settings, each by its config files. */
  cells: Cell[];
  origins: Origins;
}

/**
 * Reads and checks a sweep.
 *
 * @param paths - sweep files: layers, of which later ones win. With variations also the config files of one run; without
 *   any the config that is found from the working directory up.
 * @param variations - put over the grid and the seeds of the files
 * @throws {TailmixError} CONFIG_INVALID with everything that is wrong; SWEEP_IS_RUN for the config of a run, SWEEP_GRID.
 */
export async function readSweep(
  paths: readonly string[],
  registry: PluginRegistry,
  variations: Variations = {},
): Promise<Sweep> {
  const varied = variedBy(variations);
  const files = paths.length > 0 ? filesOf(paths) : [await findConfig()];
  const layers: Layer[] = await Promise.all(files.map((file) => readLayer(file, registry)));
  const runs = layers.filter(({ tree: own }) => isRunConfig(own));
  if (runs[0] && (varied === null || layers.some(({ tree: own }) => isSweep(own))))
    throw sweepIsRun(displayPath(runs[0].file));
  const base = runs[0]
    ? { configs: [files], ...namedAs(layers) }
    : layers.reduce<Tree>((before, layer) => merge(before, layer.tree), {});
  const tree = varied ? mergeTrees(base, varied.tree) : base;
  const origins = originsOf(layers, varied?.labels);
  const { value, findings } = check({ schema: sweepOptions, value: tree, written: tree, owner: 'a sweep' });
  const cells = value ? cellsOf(value, origins) : [];
  const all = [
    ...findings,
    ...badPaths(tree),
    ...passedOver(tree),
    ...(value ? [...incomplete(value), ...repeatedCells(cells)] : []),
  ];
  if (value === undefined || all.length > 0) {
    throw configInvalid(
      all.map(({ path, message }) => ({ where: origins.where(path), path: formatPath(path), message })),
    );
  }
  return { name: value.name ?? joinedName(files), options: value, cells, origins };
}

const isRunConfig = (tree: Tree): boolean =>
  ['extends', 'model', 'train', 'plugins'].some((key) => key in tree) || isMap(tree.data);

/** The name that the files of a run give it, where a sweep may have it. */
function namedAs(layers: readonly Layer[]): { name?: string } {
  const name = layers.findLast(({ tree }) => typeof tree.name === 'string')?.tree.name;
  return sweepOptions.shape.name.safeParse(name).success && name !== undefined ? { name: name as string } : {};
}

/** As layers of configs, but that null in `set` is a value: it takes an option back to its default. */
const merge = (base: Tree, over: Tree): Tree => ({
  ...mergeTrees(base, over),
  ...(isMap(over.set) && { set: { ...(isMap(base.set) && base.set), ...over.set } }),
});

function incomplete({ configs, methods, data }: z.output<typeof sweepOptions>): Finding[] {
  if (methods && !data) return [{ path: ['methods'], message: 'needs `data`: each method runs with each data set.' }];
  if (data && !methods) return [{ path: ['data'], message: 'needs `methods`: each method runs with each data set.' }];
  return configs || methods
    ? []
    : [{ path: [], message: 'a sweep needs `configs`, or `methods` and `data`; it has neither.' }];
}

/** Settings that would be passed over without a word: what a sweep says elsewhere, and what its grid varies. */
function passedOver(tree: Tree): Finding[] {
  const sections: Path[] = [['set'], ['grid'], ['search', 'space']];
  const [set, grid, space] = sections.map((section) => keysAt(tree, section)) as [string[], string[], string[]];
  const elsewhere = (section: Path, keys: readonly string[]): Finding[] => [
    ...(keys.includes('seed') && (section[0] !== 'set' || tree.seeds === undefined)
      ? [{ path: [...section, 'seed'], message: 'expected seeds in `seeds`, which sets the seed of every run.' }]
      : []),
    ...(keys.includes('out')
      ? [
          {
            path: [...section, 'out'],
            message: 'expected the folder of the runs in `out`; each run has its own below it.',
          },
        ]
      : []),
  ];
  return [
    ...sections.flatMap((section, i) => elsewhere(section, [set, grid, space][i]!)),
    ...set
      .filter((key) => grid.includes(key) || space.includes(key))
      .map((key) => ({
        path: ['set', key],
        message: `has no effect, since \`${grid.includes(key) ? 'grid' : 'search'}\` varies it. Leave it out.`,
      })),
    ...grid
      .filter((key) => space.includes(key))
      .map((key) => ({ path: ['grid', key], message: 'has no effect, since `search` draws it. Leave it out.' })),
  ];
}

/** Keys of a map in a sweep; none where it is not there. */
const keysAt = (tree: Tree, path: Path): string[] => {
  const found = valueAt(tree, path);
  return isMap(found) ? Object.keys(found) : [];
};

/** Keys of `set`, `grid` and `search.space` that are no paths. */
const badPaths = (tree: Tree): Finding[] =>
  [['set'], ['grid'], ['search', 'space']].flatMap((section) =>
    keysAt(tree, section)
      .filter((key) => parsePath(key) === null)
      .map((key) => ({
        path: [...section, key],
        message: `expected a path such as train.epochs or plugins.remix.kappa, got ${JSON.stringify(key)}.`,
      })),
  );
