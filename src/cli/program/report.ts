import type { Command } from 'commander';
import {
  backendOption,
  dataRootOption,
  example,
  type Finish,
  jsonOption,
  otherDataOption,
  sourcesOption,
  trustOption,
  wholeNumber,
} from './options.ts';

/** `tailmix report`, `tailmix pictures` and `tailmix watch`. */
export function addReport(program: Command, finish: Finish): void {
  program
    .command('report')
    .description('compare runs: tables, charts, one self-contained HTML page')
    .argument('<runs...>', 'run directories, folders of them, or names of runs')
    .option('--out <dir>', 'folder of the report')
    .option('--baseline <method>', 'method that the others are compared with (default: the first)')
    .option('--name <name>', 'name for its title and the file of the page (default: that of the folder of the runs)')
    .option('--no-images', 'leave the pictures out that tailmix pictures has made')
    .addOption(jsonOption())
    .addHelpText('after', example('tailmix report runs/digits --out report'))
    .action(async (runs, options) => finish(await (await import('../report.ts')).report(runs, options)));

  program
    .command('pictures')
    .description('make the pictures of a report: mixed images, wrong images with their neighbours, decision boundaries')
    .argument('<runs...>', 'run directories, folders of them, or names of runs')
    .addOption(trustOption())
    .addOption(sourcesOption())
    .addOption(dataRootOption())
    .addOption(backendOption())
    .addOption(otherDataOption())
    .addOption(jsonOption())
    .addHelpText('after', example('tailmix pictures runs/digits && tailmix report runs/digits'))
    .action(async (runs, options) => finish(await (await import('../pictures.ts')).pictures(runs, options)));

  program
    .command('watch')
    .description('serve the report of a run or a sweep as it stands, on 127.0.0.1, until it ends')
    .argument('<run>', 'run, by its directory or name, or the folder of a sweep')
    .option('--port <n>', 'port (default: any that is free)', wholeNumber)
    .addOption(jsonOption())
    .addHelpText('after', example('tailmix watch runs/digits'))
    .action(async (run, options) => finish(await (await import('../watch.ts')).watch(run, options)));
}
