import { type Command, Option } from 'commander';
import {
  backendOption,
  dataRootOption,
  example,
  type Finish,
  jsonOption,
  seedList,
  setOption,
  takeOverOption,
  wholeNumber,
} from './options.ts';

/** The commands that train several methods and choose one. */
export function addCompare(program: Command, finish: Finish): void {
  withMethods(
    program
      .command('compare')
      .description('train a config with three remedies for its long tail and without any, and say which to use'),
    'method',
  ).action(async (configs, options) => finish(await (await import('../compare/index.ts')).compare(configs, options)));

  withMethods(
    program
      .command('probe')
      .description('compute features with a config’s network once, train classifiers on them, and say which to use'),
    'classifier',
  )
    .option('--tune', 'also try other regularisation, learning rates and tau (47 runs)')
    .action(async (configs, options) => finish(await (await import('../probe/index.ts')).probe(configs, options)));
}

/** What such a command takes. */
function withMethods(command: Command, method: string): Command {
  const name = command.name();
  return command
    .argument('[configs...]', 'config files, of which later ones win; without one, that of this folder')
    .addOption(setOption())
    .addOption(
      new Option('--seeds <numbers>', `seeds of each ${method}: 0,1,2 (default: that of the config)`)
        .argParser(seedList)
        .conflicts('seed'),
    )
    .option('--seed <n>', 'seed of the runs')
    .option('--jobs <n>', 'runs at once', wholeNumber)
    .option('--out <dir>', `folder of the runs (default: runs/${name}-<name>)`)
    .addOption(takeOverOption())
    .addOption(dataRootOption())
    .addOption(backendOption())
    .addOption(jsonOption())
    .addHelpText('after', example(`tailmix ${name}`, `tailmix ${name} tailmix.config.yaml --seeds 0,1,2`));
}
