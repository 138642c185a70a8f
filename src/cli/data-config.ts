import { existsSync } from 'node:fs';
import process from 'node:process';
import type { z } from 'zod';
import { loadConfig } from '../config/load.ts';
import { applyOverrides, type Override, parseSetting } from '../config/overrides.ts';
import { resolveTree } from '../config/resolve.ts';
import type { runOptions } from '../config/schema.ts';
import { formatPath } from '../config/tree.ts';
import { datasetNames } from '../data/options.ts';
import { type ConfigFlags, context, overridesOf } from './context.ts';
import { dataSeveral, dataUnknown } from './errors.ts';

/** What the commands about data take of a config. */
export type DataConfig = Pick<z.output<typeof runOptions>, 'data' | 'evaluate'>;

/**
 * Data options of a built-in data set, with its defaults, or of config files.
 *
 * @param names - one data set, or config files: later ones win.
 * @throws {TailmixError} DATA_UNKNOWN; those of a config
 */
export async function dataConfigOf(names: readonly string[], { set = [], ...flags }: ConfigFlags): Promise<DataConfig> {
  const overrides = overridesOf(flags);
  const name = names.find((one) => (datasetNames as readonly string[]).includes(one));
  if (name === undefined) {
    const unknown = names.find((file) => !existsSync(file));
    if (unknown !== undefined) throw dataUnknown(unknown, datasetNames);
    return (await loadConfig(names, { ...context, set, overrides })).options;
  }
  if (names.length > 1) throw dataSeveral(names);
  const settings = [...set.map(parseSetting), ...overrides];
  const fitting = settings.filter((setting): setting is Override => !('message' in setting));
  // Any network does: nothing is trained.
  const written = { data: { name }, model: { name: 'mlp' } };
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
