import { Argument, type Command } from 'commander';
import { figureKinds } from '../figure/kinds.ts';
import { example, type Finish, jsonOption, sourcesOption, trustOption } from './options.ts';

/** `tailmix figure`. */
export function addFigure(program: Command, finish: Finish): void {
  program
    .command('figure')
    .description('draw a figure of a paper from runs: decision boundaries, confusion matrices, accuracy over an option')
    .addArgument(new Argument('<kind>', 'what to draw').choices(figureKinds))
    .argument('<runs...>', 'run directories, folders of them, or names of runs')
    .option('--out <file>', 'SVG file (default: <kind>.svg)')
    .option('--option <path>', 'of tau: what the runs differ in, where it is not τ', 'plugins.remix.tau')
    .addOption(trustOption())
    .addOption(sourcesOption())
    .addOption(jsonOption())
    .addHelpText(
      'after',
      example(
        'tailmix sweep configs/sweeps/toy.yaml && tailmix figure boundaries runs/toy',
        'tailmix figure tau runs/digits-tau --out tau.svg',
      ),
    )
    .action(async (kind, runs, options) =>
      finish(await (await import('../figure/index.ts')).figure(kind, runs, options)),
    );
}
