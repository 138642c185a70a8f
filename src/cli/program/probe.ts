import { type Command, Option } from 'commander';
import {
  backendOption,
  dataRootOption,
  example,
  type Finish,
  jsonOption,
  setOption,
  takeOverOption,
  wholeNumber,
} from './options.ts';

/** The command that trains classifiers on features. */
export function addProbe(program: Command, finish: Finish): void {
  program
    .command('probe')
    .description('compute features with a config’s network once, train classifiers on them, and say which to use')
    .argument('[configs...]', 'config files, of which later ones win; without one, that of this folder')
    .addOption(setOption())
    .addOption(
      new Option('--seeds <n>', 'runs of each classifier, with seeds of their own').argParser(wholeNumber).default(1),
    )
    .option('--seed <n>', 'first seed')
    .option('--jobs <n>', 'runs at once', wholeNumber)
    .option('--out <dir>', 'folder of the runs (default: runs/probe-<name>)')
    .addOption(takeOverOption())
    .addOption(dataRootOption())
    .addOption(backendOption())
    .addOption(jsonOption())
    .addHelpText('after', example('tailmix probe', 'tailmix probe tailmix.config.yaml --seeds 3'))
    .action(async (configs, options) => finish(await (await import('../probe/index.ts')).probe(configs, options)));
}
