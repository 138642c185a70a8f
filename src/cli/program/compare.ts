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

/** The command that compares remedies for the tail. */
export function addCompare(program: Command, finish: Finish): void {
  program
    .command('compare')
    .description('train a config with three remedies for its long tail and without any, and say which to use')
    .argument('[configs...]', 'config files, of which later ones win; without one, that of this folder')
    .addOption(setOption())
    .addOption(
      new Option('--seeds <n>', 'runs of each method, with seeds of their own').argParser(wholeNumber).default(1),
    )
    .option('--seed <n>', 'first seed')
    .option('--jobs <n>', 'runs at once', wholeNumber)
    .option('--out <dir>', 'folder of the runs (default: runs/compare-<name>)')
    .addOption(takeOverOption())
    .addOption(dataRootOption())
    .addOption(backendOption())
    .addOption(jsonOption())
    .addHelpText('after', example('tailmix compare', 'tailmix compare tailmix.config.yaml --seeds 3'))
    .action(async (configs, options) => finish(await (await import('../compare/index.ts')).compare(configs, options)));
}
