import process from 'node:process';
import { Argument, Command, Option } from 'commander';
import { deviceNames } from '../../backend/installed-plugins.ts';
import { version } from '../../version.ts';
import { addMlflow } from '../mlflow/program.ts';
import { addBench } from './bench.ts';
import { addCache } from './cache.ts';
import { addCompare } from './compare.ts';
import { completionScript, type Shell, shells } from './completion.ts';
import { addFigure } from './figure.ts';
import {
  backendOption,
  collect,
  dataRootOption,
  deviceOption,
  example,
  type Finish,
  jsonOption,
  otherDataOption,
  pattern,
  recordingOption,
  seedList,
  setOption,
  sweepDeviceOption,
  takeOverOption,
  trustOption,
  webFolder,
  wholeNumber,
} from './options.ts';
import { addRecord } from './record.ts';
import { addReport } from './report.ts';
import { addTrained } from './trained.ts';

/**
 * The commands of `tailmix`. Each loads its file when it is called, so that help and planning start no TensorFlow.
 *
 * @param finish - gets the exit code of the command that ran.
 */
export function createProgram(finish: Finish): Command {
  const program = new Command('tailmix')
    .description('Trains image classifiers on long-tailed data: mixing, re-weighting and re-sampling as plugins.')
    .version(version)
    .option('--debug', 'show stack traces (also TAILMIX_DEBUG=1)')
    .option('--quiet', 'no progress, no remarks: results, warnings and errors alone')
    .addHelpText('after', example('tailmix init my-run && cd my-run && tailmix train'));

  program
    .command('train')
    .description('train one run')
    .argument('[configs...]', 'config files, of which later ones win; without one, that of this folder')
    .addOption(setOption())
    .option('--seed <n>', 'seed of the run')
    .option('--name <name>', 'name of the run')
    .option('--out <dir>', 'run directory (default: runs/<name>-<time>)')
    .option('--full', 'write all weights into checkpoints, also those of a frozen backbone')
    .option('--plan', 'show the hooks and their taps, as tailmix plan does')
    .option('--resume <run>', 'continue a run: its directory or its name')
    .addOption(
      new Option('--until <epoch>', 'end the run after this epoch, in good order; --resume goes on').argParser(
        wholeNumber,
      ),
    )
    .addOption(trustOption())
    .option('--cluster', 'one process of a run on several machines: docs/cluster.md')
    .option('--workers <list>', 'with --cluster: host:port of each process, with commas between them')
    .option('--worker <n>', 'with --workers: which of them this process is, from 0')
    .addOption(new Option('--local <n>', 'with --cluster: start n processes on this machine').argParser(wholeNumber))
    .addOption(
      new Option('--restarts <n>', 'with --local: start all again, so often, when one is lost').argParser(wholeNumber),
    )
    .option('--open-network', 'with --cluster: on a machine with a public address, behind a firewall')
    .addOption(takeOverOption())
    .addOption(otherDataOption())
    .addOption(dataRootOption())
    .addOption(backendOption())
    .addOption(deviceOption())
    .addOption(recordingOption())
    .addOption(jsonOption())
    .addHelpText('after', example('tailmix train configs/digits/remix.yaml --set train.epochs=5 --seed 1'))
    .action(async (configs, options) => finish(await (await import('../train.ts')).train(configs, options)));

  program
    .command('plan')
    .description('show the resolved config and what it would run; trains nothing')
    .argument('[configs...]', 'config files, of which later ones win; without one, that of this folder')
    .addOption(setOption())
    .option('--seed <n>', 'seed of the run')
    .addOption(dataRootOption())
    .addOption(jsonOption())
    .addHelpText(
      'after',
      example('tailmix plan configs/methods/remix-paper-300/remix-drw.yaml configs/data/cifar10-exp-100.yaml'),
    )
    .action(async (configs, options) => finish(await (await import('../plan.ts')).plan(configs, options)));

  addRecord(program, finish);

  program
    .command('sweep')
    .description('train a grid of configs, settings and seeds; continues where it stopped')
    .argument('[sweeps...]', 'sweep file, or with --grid or --seeds the config of a run; of several, later ones win')
    .addOption(setOption())
    .addOption(
      new Option('--grid <path=values>', 'vary a setting: train.epochs=5,10; of several, every combination').argParser(
        collect,
      ),
    )
    .option('--seeds <numbers>', 'seeds of each run: 0,1,2', seedList)
    .addOption(
      new Option('--only <pattern>', 'run a part: runs whose name fits, * for any text; repeatable').argParser(collect),
    )
    .option('--jobs <n>', 'runs at once', wholeNumber)
    .option('--report', 'write the report at the end')
    .addOption(new Option('--on <where>', 'where runs are trained (default: local)').choices(['local', 'slurm']))
    .option('--partition <name>', 'with --on slurm: partition of the jobs')
    .option('--time <limit>', 'with --on slurm: time limit of a job; a run that needs longer is queued again')
    .option('--max <n>', 'with --on slurm: jobs at once', wholeNumber)
    .option('--sbatch <options>', 'with --on slurm: further options of sbatch, as one word')
    .addOption(
      new Option('--nodes-per-run <n>', 'with --on slurm: nodes that share each run (train.replicas)').argParser(
        wholeNumber,
      ),
    )
    .option('--dry-run', 'with --on slurm: print the scripts, and submit nothing')
    .addOption(
      new Option('--status', 'how far the runs are, in their directories and in Slurm').conflicts(['run', 'on']),
    )
    .addOption(
      new Option('--list', 'freeze the grid for jobs of a cluster, and show its runs').conflicts([
        'run',
        'status',
        'on',
      ]),
    )
    .option('--run <id>', 'train one run of the frozen grid, by its id or number')
    .option('--cluster', 'with --run: as one process of several, which srun or others have started')
    .option('--open-network', 'with --cluster or --nodes-per-run: on machines with a public address, behind a firewall')
    .option('--out <dir>', 'folder of the runs (default: runs/<name of the sweep>)')
    .addOption(trustOption())
    .addOption(takeOverOption())
    .addOption(dataRootOption())
    .addOption(backendOption())
    .addOption(sweepDeviceOption())
    .addOption(jsonOption())
    .addHelpText(
      'after',
      example(
        'tailmix sweep configs/sweeps/digits.yaml --report',
        'tailmix sweep run.yaml --grid train.optimizer.learningRate=0.05,0.1 --seeds 0,1,2 --report',
        'tailmix sweep configs/sweeps/digits.yaml --on slurm --max 4 --time 2:00:00',
        "tailmix sweep configs/paper/table-1.yaml --only 'remix-drw-*' --data-root ~/data",
      ),
    )
    .action(async (files, options) => finish(await (await import('../sweep.ts')).sweep(files, options)));

  addCompare(program, finish);

  addReport(program, finish);
  addFigure(program, finish);

  addTrained(program, finish);

  program
    .command('plugins')
    .description('list the built-in plugins, or the options of one')
    .argument('[name]', 'plugin')
    .addOption(jsonOption())
    .addHelpText('after', example('tailmix plugins remix'))
    .action(async (name, options) => finish(await (await import('../plugins.ts')).plugins(name, options)));

  program
    .command('init')
    .description('look at a folder of images and write a config for them; or make a project to start from')
    .argument('[folder]', 'folder of images, or a new name (default: a project in this folder)')
    .option('--yes', 'ask nothing, and take what suits the images')
    .addOption(new Option('--image-size <pixels>', 'side that images are scaled to').argParser(wholeNumber))
    .option('--group <pattern>', 'regular expression on paths: images with the same match stay in one split', pattern)
    .option('--weights <file>', 'published weights to start from (default: those in this folder or beside the images)')
    .addOption(jsonOption())
    .addHelpText('after', example('tailmix init ../photos', 'tailmix init my-run'))
    .action(async (folder, options) => finish(await (await import('../init/index.ts')).init(folder, options)));

  program
    .command('schema')
    .description('print the JSON Schema of configs, for editors')
    .option('--sweep', 'that of a sweep')
    .option('--write', 'write both to the folder of configs')
    .addHelpText('after', example('tailmix schema > tailmix.schema.json'))
    .action(async (options) => finish(await (await import('../schema.ts')).schema(options)));

  addData(program, finish);
  addCache(program, finish);
  addMlflow(program, finish);
  addBench(program, finish);

  program
    .command('doctor')
    .description('say what training runs on here, why, and the cure for each problem')
    .addOption(jsonOption())
    .addHelpText('after', example('tailmix doctor'))
    .action(async (options) => finish(await (await import('../doctor.ts')).doctor(options)));

  program
    .command('setup')
    .description('fetch and build the native backend')
    .option('--gpu', 'the GPU build too')
    .addOption(new Option('--device <kind>', 'the PJRT plugin for a kind of GPU too').choices(deviceNames))
    .option('--from <path>', 'a downloaded wheel of TensorFlow, or a folder that holds wheels')
    .option('--force', 'again, even if it is there')
    .addOption(jsonOption())
    .addHelpText('after', example('tailmix setup'))
    .action(async (options) => finish(await (await import('../setup.ts')).setup(options)));

  program
    .command('completion')
    .description('print a script that completes commands and options in a shell')
    .addArgument(new Argument('<shell>', 'shell').choices(shells))
    .addHelpText('after', example('tailmix completion zsh > ~/.tailmix.zsh && echo source ~/.tailmix.zsh >> ~/.zshrc'))
    .action((shell: Shell) => {
      process.stdout.write(completionScript(program, shell));
      finish(0);
    });

  program
    .command('explain')
    .description('explain an option of a config, or an error by its code; or list the codes')
    .argument('[topic]', 'an option as --set names it, or the code of an error as in --json')
    .addOption(jsonOption())
    .addHelpText('after', example('tailmix explain train.optimizer.learningRate', 'tailmix explain OTHER_DATA'))
    .action(async (topic, options) => finish(await (await import('../explain.ts')).explain(topic, options)));

  pointToHelp(program, 'tailmix');
  return program;
}

/** After wrong use, each command points to its own help. */
function pointToHelp(command: Command, name: string): void {
  const describes = command.commands.length > 0 ? 'lists the commands' : 'describes its options, with an example';
  command.showHelpAfterError(`(${name} --help ${describes})`);
  for (const below of command.commands) pointToHelp(below, `${name} ${below.name()}`);
}

function addData(program: Command, finish: Finish): void {
  const data = program.command('data').description('fetch a data set, or look at one');
  data
    .command('prepare')
    .description('download, check and unpack a data set, and pack its images; continues where it stopped')
    .argument('<names...>', 'data set, or config files that name one')
    .option('--from <path>', 'a downloaded archive, or a folder with the archives: fetch nothing')
    .addOption(
      new Option('--mirror <url>', 'folder on a server with the archives, asked first; repeatable').argParser(
        webFolder,
      ),
    )
    .option('--without-images', 'annotations alone (inat2018)')
    .option('--force', 'fetch and pack again, in place of what is there')
    .option('--repack', 'pack again what is there')
    .addOption(setOption())
    .addOption(dataRootOption())
    .addOption(jsonOption())
    .addHelpText('after', example('tailmix data prepare cifar10 --data-root ~/data'))
    .action(async (names, options) => finish(await (await import('../data/prepare.ts')).dataPrepare(names, options)));
  data
    .command('info')
    .description('show a data set: counts, the long tail, sample images, duplicates, unreadable files')
    .argument('<names...>', 'data set, folder of images, or config files that name one')
    .option('--out <dir>', 'folder for the pictures (default: runs/data/<name>)')
    .option('--without-images', 'counts alone: read no image')
    .addOption(setOption())
    .addOption(dataRootOption())
    .addOption(jsonOption())
    .addHelpText('after', example('tailmix data info ../photos', 'tailmix data info cifar10 --data-root ~/data'))
    .action(async (names, options) => finish(await (await import('../data/info.ts')).dataInfo(names, options)));
}
