import { checkEnvironment } from '../backend/environment.ts';
import { loadConfig } from '../config/load.ts';
import { trainerOptions } from '../config/trainer-options.ts';
import { displayPath } from '../errors.ts';
import { writeRecordings } from '../graph/index.ts';
import { writeFileAtomic } from '../tracking/write-file.ts';
import { recordRun } from '../train/record.ts';
import { type ConfigFlags, context, knownPlugins, overridesOf } from './context.ts';
import { commandLine, tellNext } from './next.ts';
import { print, printJson } from './output.ts';

/** Options of `tailmix record`. */
export interface RecordCommandOptions extends Pick<ConfigFlags, 'set' | 'seed' | 'dataRoot'> {
  out: string;
  /** With `train.replicas`: devices that will share them. */
  devices?: number;
  json?: boolean;
}

/** `tailmix record`: a run's steps as a file, which a device computes where there is no TensorFlow. */
export async function record(
  paths: readonly string[],
  { out, devices, json, set = [], ...flags }: RecordCommandOptions,
): Promise<number> {
  checkEnvironment();
  const config = await loadConfig(paths, { ...context, set, overrides: overridesOf(flags) });
  const kept = await recordRun({ ...trainerOptions(config), known: await knownPlugins() }, devices);
  const bytes = writeRecordings(kept);
  await writeFileAtomic(out, [bytes]);
  const calls = kept.programs.reduce((sum, program) => sum + program.length, 0);
  const place = displayPath(out);
  if (json) printJson({ file: place, bytes: bytes.length, calls, facts: kept.facts });
  else {
    print(`${place}: ${calls} calls, ${(bytes.length / 2 ** 20).toFixed(1)} MiB`);
    const settings = set.flatMap((setting) => ['--set', setting]);
    tellNext([
      commandLine('train', ...paths, ...settings, '--device', 'pjrt', '--recording', place),
      'trains it on a device, on any machine that has the config and the data',
    ]);
  }
  return 0;
}
