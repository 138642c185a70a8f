import { basename, relative } from 'node:path';
import process from 'node:process';
import { displayPath } from '../../errors.ts';
import { writeFileStore } from '../../tracking/file-store/write.ts';
import { findSpools } from '../../tracking/spool/find.ts';
import { completeSpool } from '../../tracking/spool/sync.ts';
import { print, printJson, tell } from '../output.ts';
import { writers } from './complete.ts';

/** Options of `tailmix mlflow export`. */
export interface MlflowExportOptions {
  /** Folder to write to. */
  mlruns: string;
  json?: boolean;
}

/**
 * `tailmix mlflow export`: writes runs in the form of MLflow's file store, and prints how MLflow opens it.
 *
 * @param paths - run directories, folders of them, or names.
 * @returns exit code 0; everything that can go wrong is thrown
 * @throws {TailmixError} of {@link findSpools} and {@link writeFileStore}.
 */
export async function mlflowExport(
  paths: readonly string[],
  { mlruns, json = false }: MlflowExportOptions,
): Promise<number> {
  const directories = await findSpools(paths);
  for (const directory of directories)
    await completeSpool(directory, { writeModel: writers.writeModel }, (remark) =>
      tell(`${displayPath(directory)}: ${remark}`),
    );
  const runs = await writeFileStore(mlruns, directories, tell);
  const commands = commandsFor(mlruns);
  if (json) {
    printJson({ mlruns, runs, commands });
    return 0;
  }
  for (const { directory, experiment, experimentId, runId } of runs)
    print(`${relative(process.cwd(), directory) || '.'} → ${mlruns}/${experimentId}/${runId} (${experiment})`);
  print(`\nMLflow 3.10 and later reads it into a new database:\n\n  ${commands.join('\n  ')}`);
  if (basename(mlruns) === 'mlruns')
    tell(
      `\nMLflow 3.13 and later refuses to start in a folder that holds a file store called mlruns; another name avoids that.`,
    );
  return 0;
}

/** What opens a file store in MLflow. */
const commandsFor = (mlruns: string): string[] => [
  `mlflow migrate-filestore --source ${quoted(mlruns)} --target sqlite:///mlflow.db`,
  `mlflow server --backend-store-uri sqlite:///mlflow.db --artifacts-destination ${quoted(mlruns)}`,
];

const quoted = (path: string): string => (/^[\w./-]+$/.test(path) ? path : `'${path.replaceAll("'", `'\\''`)}'`);
