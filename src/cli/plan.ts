import { stringify } from 'yaml';
import { checkEnvironment } from '../backend/environment.ts';
import { loadConfig } from '../config/load.ts';
import { trainerOptions } from '../config/trainer-options.ts';
import { planRun } from '../train/plan-run.ts';
import { type ConfigFlags, context, knownPlugins, overridesOf } from './context.ts';
import { commandLine, tellNext } from './next.ts';
import { print, printJson } from './output.ts';

/** `tailmix plan`: the resolved config and what it would run, without training. */
export async function plan(
  paths: readonly string[],
  { json, set = [], ...flags }: ConfigFlags & { json?: boolean },
): Promise<number> {
  checkEnvironment();
  const config = await loadConfig(paths, { ...context, set, overrides: overridesOf(flags) });
  const planned = await planRun({ ...trainerOptions(config), known: await knownPlugins() });
  const { phases, plan: table, unread } = planned;
  const info = unread ? { ...planned.info, classCounts: unread } : planned.info;
  const described = phases.map(({ name, composition: { provides, inputs, variants, warnings } }) => ({
    ...(name !== null && { name }),
    provides,
    inputs,
    variants,
    warnings,
  }));
  const composed = config.phases === null ? described[0] : { phases: described };
  const hash = config.hash;
  if (json) printJson({ config: config.resolved, hash, info, ...composed, plan: table });
  else {
    print(`${stringify(config.resolved)}\n${table}\nconfig hash             ${hash.slice(0, 16)}`);
    const settings = set.flatMap((setting) => ['--set', setting]);
    const { seed, dataRoot } = flags;
    const given = [
      ...(seed === undefined ? [] : ['--seed', seed]),
      ...(dataRoot === undefined ? [] : ['--data-root', dataRoot]),
    ];
    tellNext([commandLine('train', ...paths, ...settings, ...given), 'trains it']);
  }
  return 0;
}
