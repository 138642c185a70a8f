import { type Command, Option } from 'commander';
import type { Finish } from './program.ts';

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
    .action(async (runs, options) => finish(await (await import('./mlflow-export.ts')).mlflowExport(runs, options)));
}
