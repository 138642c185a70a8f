import { type Command, Option } from 'commander';
import { dataRootOption, example, type Finish, jsonOption, setOption, wholeNumber } from './options.ts';

export function addRecord(program: Command, finish: Finish): void {
  program
    .command('record')
    .description('record the steps of a run into a file: a GPU machine computes them without TensorFlow')
    .argument('[configs...]', 'config files, of which later ones win; without one, that of this folder')
    .requiredOption('--out <file>', 'file to write')
    .addOption(
      new Option('--devices <n>', 'with train.replicas: devices that will share them (default: 1)').argParser(
        wholeNumber,
      ),
    )
    .addOption(setOption())
    .option('--seed <n>', 'seed of the run')
    .addOption(dataRootOption())
    .addOption(jsonOption())
    .addHelpText('after', example('tailmix record configs/digits/remix.yaml --out remix.recording'))
    .action(async (configs, options) => finish(await (await import('../record.ts')).record(configs, options)));
}
