import { type Command, Option } from 'commander';
import { modelNames } from '../../models/model-names.ts';
import { backendOption, example, type Finish, jsonOption, wholeNumber } from './options.ts';

export function addBench(program: Command, finish: Finish): void {
  const bench = program.command('bench').description('measure the training step or the loader');
  const count = (flags: string, what: string, standard?: number): Option => {
    const option = new Option(flags, what).argParser(wholeNumber);
    return standard === undefined ? option : option.default(standard);
  };
  bench
    .command('step')
    .description('images per second of the bare training step, with Mixup and Remix')
    .addOption(new Option('--model <name>', 'network').choices(modelNames).default('resnet32'))
    .addOption(count('--batch <n>', 'images per step', 128))
    .addOption(new Option('--precision <name>', 'precision').choices(['fp32', 'bf16']).default('fp32'))
    .addOption(new Option('--step <mode>', 'how it runs').choices(['auto', 'captured', 'eager']).default('auto'))
    .addOption(count('--image-size <pixels>', 'side of an image (default: 32, of networks for ImageNet 224)'))
    .addOption(count('--classes <n>', 'classes', 10))
    .addOption(count('--rounds <n>', 'measurements', 3))
    .addOption(count('--steps <n>', 'steps of a measurement', 10))
    .addOption(backendOption().default('auto'))
    .addOption(jsonOption())
    .addHelpText('after', example('tailmix bench step --model resnet32 --precision bf16 --json'))
    .action(async (options) => finish(await (await import('../bench.ts')).benchStepCommand(options)));
  bench
    .command('loader')
    .description('images per second of loading, cropping and flipping')
    .addOption(count('--batch <n>', 'images per batch', 128))
    .addOption(count('--image-size <pixels>', 'side of an image', 32))
    .addOption(count('--images <n>', 'images of a round', 10_000))
    .addOption(count('--workers <n>', 'threads', 1))
    .addOption(count('--rounds <n>', 'measurements', 3))
    .addOption(jsonOption())
    .addHelpText('after', example('tailmix bench loader --workers 2'))
    .action(async (options) => finish(await (await import('../bench.ts')).benchLoaderCommand(options)));
}
