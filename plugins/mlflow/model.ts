import { existsSync } from 'node:fs';
import { basename, join } from 'node:path';
import { checkpointEpochs, checkpointPath, type Run, type RunSummary, runFiles } from 'tailmix';
import { type SpoolWriter, spoolFiles } from 'tailmix/tracking';
import { datasetsOf } from './datasets.ts';

/**
 * The trained model in the form that MLflow loads; none of a run without checkpoints, or without TensorFlow, whose ops are what
 * is exported. What writes it is imported only now: it imports this plugin.
 */
export async function exportModel({ engine }: Run, directory: string): Promise<void> {
  if (engine.tensorflow === null || (await checkpointEpochs(directory)).length === 0) return;
  const { exportRun } = await import('tailmix/predict');
  await exportRun(directory, { format: 'mlflow', folder: join(directory, spoolFiles.model), force: true });
}

/** Of a model, on its page. */
const LOADING =
  '`mlflow.pyfunc.load_model` opens it: a table with a column `image`, JPEG or PNG files as bytes or in base64, gives `class`, ' +
  '`probability` and `probabilities`.';

/** The trained model, as MLflow 3 lists it: linked to the test's figures of the last epoch, with what describes it. */
export function addModel(
  spool: SpoolWriter,
  run: Run,
  { method, lastEpoch, classes }: RunSummary,
  withWeights: boolean,
): void {
  const directory = run.directory!;
  const points = spool.last('test/accuracy');
  const checkpoint = `checkpoints/${basename(checkpointPath(directory, lastEpoch))}`;
  const wanted = [runFiles.config, runFiles.subset, ...(withWeights ? [checkpoint] : [])];
  const dataset = datasetsOf(run).find(({ context }) => context === 'test');
  const tested = Object.entries(points?.values ?? {}).filter(([key]) => key.startsWith('test/'));
  spool.write({
    type: 'model',
    name: method.replace(/[/:.%"']/g, '-'),
    kind: 'image-classifier',
    step: lastEpoch,
    params: { epoch: String(lastEpoch), classes: String(classes.length) },
    tags: { 'mlflow.note.content': LOADING },
    files: wanted.filter((file) => existsSync(join(directory, file))).map((file) => ({ path: basename(file), file })),
    folder: spoolFiles.model,
    ...(points?.step === lastEpoch
      ? { metrics: { ...points, values: Object.fromEntries(tested), ...(dataset && { dataset }) } }
      : {}),
  });
}
