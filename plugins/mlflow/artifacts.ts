import { existsSync } from 'node:fs';
import { basename, join } from 'node:path';
import { checkpointEpochs, checkpointPath, writeFileAtomic, writeRunReport } from 'tailmix';
import { type SpoolWriter, spoolFiles } from 'tailmix/tracking';

const PER_CLASS = `${spoolFiles.folder}/per_class.json`;

/** Adds a file of the run directory, if it is there. */
export function addFile(spool: SpoolWriter, directory: string, file: string, path = file): void {
  if (existsSync(join(directory, file))) spool.write({ type: 'artifact', path, file });
}

/** The report of the run, and its pictures. */
export async function addReport(spool: SpoolWriter, directory: string): Promise<void> {
  for (const file of await writeRunReport(directory)) addFile(spool, directory, file);
}

/** A table that MLflow shows as one. */
export async function addPerClass(spool: SpoolWriter, directory: string, table: string): Promise<void> {
  await writeFileAtomic(join(directory, PER_CLASS), table);
  addFile(spool, directory, PER_CLASS, 'per_class.json');
  spool.tags({ 'mlflow.loggedArtifacts': JSON.stringify([{ path: 'per_class.json', type: 'table' }]) });
}

export async function addLastCheckpoint(spool: SpoolWriter, directory: string): Promise<void> {
  const epoch = (await checkpointEpochs(directory)).at(-1);
  if (epoch !== undefined) addCheckpoint(spool, directory, checkpointPath(directory, epoch));
}

export function addCheckpoint(spool: SpoolWriter, directory: string, checkpoint: string): void {
  const path = `checkpoints/${basename(checkpoint)}`;
  addFile(spool, directory, path);
  spool.tags({ 'mlflow.latest_checkpoint_artifact': path });
}
