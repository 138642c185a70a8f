import { existsSync } from 'node:fs';
import { type LoadContext, loadConfig } from '../config/load.ts';
import { trainerOptions } from '../config/trainer-options.ts';
import { TailmixError } from '../errors.ts';
import type { PluginDefinition } from '../plugin.ts';
import { planRun } from '../train/plan-run.ts';
import { type ConfigProblem, runsInvalid, searchBlind } from './errors.ts';
import type { PlannedRun } from './expand.ts';

/**
 * Plans each run that has no directory yet, of each config and setting one seed: what `tailmix plan` would refuse ends a
 * sweep before its first run and not hours later.
 *
 * @param name - of the sweep, for messages
 * @param mustValidate - each run must have a validation split
 * @throws {TailmixError} CONFIG_INVALID with everything that is wrong in any of them.
 */
export async function planRuns(
  name: string,
  runs: readonly PlannedRun[],
  { known, mustValidate, ...context }: LoadContext & { known: readonly PluginDefinition[]; mustValidate: boolean },
): Promise<void> {
  const problems: ConfigProblem[] = [];
  const planned = new Set<string>();
  for (const { configs, set, label, directory } of runs) {
    const cell = label.replace(/ ?seed \d+$/, '');
    if (planned.has(cell) || existsSync(directory)) continue;
    planned.add(cell);
    try {
      const { info, unread } = await planRun({
        ...trainerOptions(await loadConfig(configs, { ...context, set })),
        known,
      });
      if (mustValidate && unread === null && info.validationCount === 0) throw searchBlind();
    } catch (error) {
      if (!(error instanceof TailmixError) || error.kind !== 'config') throw error;
      problems.push({ files: [cell], error });
    }
  }
  if (problems.length > 0) throw runsInvalid(name, problems, planned.size);
}
