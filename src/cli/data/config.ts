import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import process from 'node:process';
import type { z } from 'zod';
import { loadConfig } from '../../config/load.ts';
import { applyOverrides, type Override, parseSetting } from '../../config/overrides.ts';
import { resolveTree } from '../../config/resolve.ts';
import type { runOptions } from '../../config/schema.ts';
import { formatPath, type Tree } from '../../config/tree.ts';
import { lookAt } from '../../data/inspect/look.ts';
import { datasetNames } from '../../data/options.ts';
import { folderExists } from '../../data/sets/class-folders.ts';
import { type ConfigFlags, context, overridesOf } from '../context.ts';
import { dataSeveral, dataUnknown, folderWithoutImages } from '../errors.ts';

/** What the commands about data take of a config. */
export type DataConfig = Pick<z.output<typeof runOptions>, 'data' | 'evaluate'>;

/**
 * Data options of a built-in data set, with its defaults, of a folder of images, or of config files.
 *
 * @param names - one data set, one folder, or config files: later ones win.
 * @throws {TailmixError} DATA_UNKNOWN; those of a config
 */
export async function dataConfigOf(names: readonly string[], { set = [], ...flags }: ConfigFlags): Promise<DataConfig> {
  const overrides = overridesOf(flags);
  const name = names.find((one) => (datasetNames as readonly string[]).includes(one));
  const folder = folderOf(names);
  if (name === undefined && folder === null) {
    const unknown = names.find((file) => !existsSync(file));
    if (unknown !== undefined) throw dataUnknown(unknown, datasetNames);
    return (await loadConfig(names, { ...context, set, overrides })).options;
  }
  if (names.length > 1) throw dataSeveral(names);
  const data = folder === null ? { name: name! } : await dataOfFolder(folder);
  const settings = [...set.map(parseSetting), ...overrides];
  const fitting = settings.filter((setting): setting is Override => !('message' in setting));
  // Any network does: nothing is trained.
  const written = { data, model: { name: 'mlp' } };
  const { tree, labels, problems } = applyOverrides(written, fitting, []);
  const { options } = await resolveTree(tree, {
    ...context,
    origins: {
      where: (path) => labels.get(formatPath(path)) ?? null,
      directory: () => process.cwd(),
    },
    problems: [...settings.filter((setting) => 'message' in setting), ...problems],
  });
  return options;
}

/** The folder that a command is given in the place of a config; null where it is given none. */
export const folderOf = (names: readonly string[]): string | null =>
  names.find((one) => !(datasetNames as readonly string[]).includes(one) && folderExists(one)) ?? null;

async function dataOfFolder(folder: string): Promise<Tree> {
  const look = await lookAt(resolve(folder));
  if (look === null) throw folderWithoutImages(folder);
  return { ...look.data };
}
