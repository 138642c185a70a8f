import { type Command, InvalidArgumentError, Option } from 'commander';
import type { Finish } from '../program/options.ts';

/** `tailmix mlflow …`: what concerns MLflow beyond a run that is being trained. */
export function addMlflow(program: Command, finish: Finish): void {
  const mlflow = program.command('mlflow').description('bring runs to MLflow');
  mlflow
    .command('export')
    .description("write runs in the form of MLflow's file store, for `mlflow migrate-filestore`")
    .argument('<runs...>', 'run directories, folders of them, or names of runs')
    .requiredOption('--mlruns <dir>', 'folder to write to')
    .addOption(new Option('--json', 'print one JSON document on standard output'))
    .addHelpText('after', '\nExample:\n  tailmix mlflow export runs/digits --mlruns mlflow-store\n')
    .action(async (runs, options) => finish(await (await import('./export.ts')).mlflowExport(runs, options)));
  mlflow
    .command('sync')
    .description('send what an MLflow server does not have of runs')
    .argument('<runs...>', 'run directories, folders of them, or names of runs')
    .option(
      '--server <url>',
      'address of the server (default: MLFLOW_TRACKING_URI, else where the run was sent before)',
    )
    .option('--experiment <name>', 'experiment of runs that are not there yet (default: the one they were made for)')
    .addOption(new Option('--json', 'print one JSON document on standard output'))
    .addHelpText('after', '\nExample:\n  tailmix mlflow sync runs/digits --server http://127.0.0.1:5000\n')
    .action(async (runs, options) => finish(await (await import('./sync.ts')).mlflowSync(runs, options)));
  mlflow
    .command('ui')
    .description("start MLflow's own server over runs, on this machine, and keep sending what they write")
    .argument('[runs...]', 'run directories, folders of them, or names of runs', ['runs'])
    .option('--port <number>', 'port to listen on (default: 5000, or a free one where that is taken)', toPort)
    .option('--store <dir>', 'folder of its database and artifacts (default: .mlflow in the folder of the runs)')
    .addOption(new Option('--json', 'print one JSON document on standard output'))
    .addHelpText('after', '\nExample:\n  tailmix mlflow ui runs/digits\n')
    .action(async (runs, options) => finish(await (await import('./ui.ts')).mlflowUi(runs, options)));
}

function toPort(text: string): number {
  const port = Number(text);
  if (!Number.isInteger(port) || port < 1 || port > 65_535) throw new InvalidArgumentError('Expected 1 to 65535.');
  return port;
}
