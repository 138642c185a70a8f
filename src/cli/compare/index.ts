import { join } from 'node:path';
import { checkEnvironment } from '../../backend/environment.ts';
import { loadConfig } from '../../config/load.ts';
import { trainerOptions } from '../../config/trainer-options.ts';
import { displayPath } from '../../errors.ts';
import { folderName } from '../../tracking/run-directory.ts';
import { planRun } from '../../train/plan-run.ts';
import { checkPlace, context, knownPlugins, overridesOf } from '../context.ts';
import { compareNoValidation, comparePhases } from '../errors.ts';
import { tell } from '../output.ts';
import { candidatesFor } from './candidates.ts';
import { methodConfigs } from './configs.ts';
import { type MethodsOptions, runMethods } from './run-methods.ts';

/** `tailmix compare`: plain training and three remedies that fit the tail, and which of them to use. */
export async function compare(paths: readonly string[], options: MethodsOptions): Promise<number> {
  checkEnvironment();
  checkPlace('--out', options.out);
  const { set = [], out, ...flags } = options;
  const config = await loadConfig(paths, { ...context, set, overrides: overridesOf(flags) });
  if (config.phases !== null) throw comparePhases('compare');
  const { info, unread, composition } = await planRun({ ...trainerOptions(config), known: await knownPlugins() });
  if (info.validationCount === 0) throw compareNoValidation(paths.map(displayPath).join(' '));
  const counts = unread ? [unread.largest, unread.smallest] : info.classCounts;
  const methods = methodConfigs(config, candidatesFor(counts));
  for (const { code, plugin, message } of composition.warnings) tell(`warning: ${code} [${plugin}] ${message}`);
  const { name, seed } = config.options;
  const folder = out ?? join('runs', `compare-${folderName(name)}`);
  return runMethods({ methods, folder, seed, announce: 'compares' }, options);
}
