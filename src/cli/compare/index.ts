import { trainerOptions } from '../../config/trainer-options.ts';
import { displayPath } from '../../errors.ts';
import { planRun } from '../../train/plan-run.ts';
import { knownPlugins } from '../context.ts';
import { compareNoValidation } from '../errors.ts';
import { tell } from '../output.ts';
import { candidatesFor } from './candidates.ts';
import { methodConfigs } from './configs.ts';
import { type MethodsOptions, methodsConfig, runMethods } from './run-methods.ts';

/** `tailmix compare`: plain training and three remedies that fit the tail, and which of them to use. */
export async function compare(paths: readonly string[], options: MethodsOptions): Promise<number> {
  const config = await methodsConfig('compare', paths, options);
  const { info, unread, composition } = await planRun({ ...trainerOptions(config), known: await knownPlugins() });
  if (info.validationCount === 0) throw compareNoValidation(paths.map(displayPath).join(' '));
  const counts = unread ? [unread.largest, unread.smallest] : info.classCounts;
  const methods = methodConfigs(config, candidatesFor(counts));
  for (const { code, plugin, message } of composition.warnings) tell(`warning: ${code} [${plugin}] ${message}`);
  return runMethods({ command: 'compare', methods, config, announce: 'compares' }, options);
}
