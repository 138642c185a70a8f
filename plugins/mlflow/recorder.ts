import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { basename, join, relative } from 'node:path';
import {
  type CheckpointInfo,
  checkpointEpochs,
  checkpointPath,
  type EpochMetrics,
  type Run,
  type RunSummary,
  runFiles,
  writeFileAtomic,
  writeRunReport,
} from 'tailmix';
import {
  ensureSweepRun,
  type Figures,
  openSpool,
  type RunEnd,
  type SpoolWriter,
  spoolFiles,
  sweepMembership,
} from 'tailmix/tracking';
import { datasetsOf, modelSummary, paramsOf, runTags, sourceTags } from './describe.ts';
import { epochFigures, finalFigures } from './figures.ts';
import { gitTags } from './git.ts';
import type { MlflowOptions } from './options.ts';
import { samplingSeconds, startSampling } from './system.ts';
import { perClassTable } from './table.ts';
import { view } from './view.ts';

/** Writes what MLflow gets to know of a run into its spool. */
export interface Recorder {
  steps(step: number, figures: Figures): void;
  epoch(metrics: EpochMetrics): void;
  checkpoint(checkpoint: CheckpointInfo): void;
  /**
   * Records the end, part by part: one that fails keeps none of the others.
   *
   * @param error - what the run failed of; null when it ended in good order.
   * @returns what failed.
   */
  end(summary: RunSummary, error: Error | null, withReport: boolean): Promise<{ end: RunEnd; problems: unknown[] }>;
  close(): void;
}

const SUMMARY = `${spoolFiles.folder}/model_summary.txt`;
const PER_CLASS = `${spoolFiles.folder}/per_class.json`;

/** Opens the spool of a run, or continues it, and writes what is known before the first step. */
export async function openRecorder(
  run: Run,
  directory: string,
  options: MlflowOptions,
  onProblem: (error: Error) => void,
): Promise<Recorder> {
  const sweep = sweepMembership();
  const source = { ...sourceTags(), ...(await gitTags(process.cwd())) };
  const experiment = options.experiment ?? (process.env.MLFLOW_EXPERIMENT_NAME || run.info.dataset);
  const experimentTags = { [view.key]: view.value };
  if (sweep) await ensureSweepRun(sweep, { experiment, tags: { ...source, ...options.tags }, experimentTags });
  const first = () => ({
    time: Date.now(),
    uid: randomUUID(),
    experiment,
    name: runName(run.summary(), sweep?.variation),
    tags: { ...source, ...runTags(run, run.summary()), ...options.tags },
    experimentTags,
    ...(sweep ? { parent: { uid: sweep.uid, directory: relative(directory, sweep.directory) } } : {}),
  });
  const spool = openSpool(directory, first, onProblem);
  await writeFileAtomic(join(directory, SUMMARY), modelSummary(run)).catch(onProblem);

  if (spool.isContinued) {
    spool.write({ type: 'status', status: 'RUNNING' });
    spool.tags({ ...source, ...runTags(run, run.summary()), 'tailmix.resumed_from_epoch': String(run.resumedFrom) });
  }
  spool.params(paramsOf(run));
  spool.write({ type: 'inputs', datasets: datasetsOf(run) });
  const { config, plan, subset } = runFiles;
  for (const file of [config, plan, subset]) addFile(spool, directory, file);
  addFile(spool, directory, SUMMARY, 'model_summary.txt');
  // Epochs of before a resume that the spool lacks: their line was lost, or they ran without this plugin.
  for (const metrics of run.epochs) spool.metrics(metrics.epoch, epochFigures(metrics));

  const seconds = samplingSeconds(options, process.env);
  // Their step counts the samples.
  const stopSampling = startSampling(directory, seconds, (figures) => {
    const last = Object.keys(figures).map((key) => spool.last(key)?.step ?? -1);
    spool.metrics(1 + Math.max(-1, ...last), figures);
  });
  return {
    steps: (step, figures) => spool.metrics(step, figures),
    epoch: (metrics) => spool.metrics(metrics.epoch, epochFigures(metrics)),
    checkpoint: ({ path }) => {
      if (options.checkpoints === 'all') addCheckpoint(spool, directory, path);
    },
    async end(summary, error, withReport) {
      const hasFailed = error !== null || summary.status === 'failed';
      const isFinished = !hasFailed && !(summary.status === 'stopped' && run.interrupted);
      const { last } = summary;
      const hasModel = isFinished && options.model && !spool.models.has(summary.lastEpoch);
      const parts: (() => unknown)[] = [
        () =>
          spool.tags({
            ...runTags(run, summary),
            'tailmix.status': summary.status,
            ...(summary.reason === null ? {} : { 'tailmix.reason': summary.reason }),
          }),
        () => isFinished && spool.metrics(0, finalFigures(summary)),
        () => last && addPerClass(spool, directory, perClassTable(summary, last)),
        () => {
          for (const file of [runFiles.metrics, runFiles.summary]) addFile(spool, directory, file);
        },
        () => options.checkpoints === 'last' && addLastCheckpoint(spool, directory),
        () => isFinished && withReport && addReport(spool, directory),
        () => hasModel && withReport && exportModel(run, directory),
        () => hasModel && addModel(spool, run, summary, options.checkpoints !== 'none'),
      ];
      const problems: unknown[] = [];
      for (const part of parts) {
        try {
          await part();
        } catch (problem) {
          problems.push(problem);
        }
      }
      const end: RunEnd = { status: hasFailed ? 'FAILED' : isFinished ? 'FINISHED' : 'KILLED', time: spool.now() };
      spool.write({ type: 'status', ...end });
      spool.flush();
      return { end, problems };
    },
    close() {
      stopSampling();
      spool.close();
    },
  };
}

/** What tells a run from others in a legend. */
export const runName = ({ method, seed }: Pick<RunSummary, 'method' | 'seed'>, variation?: string): string =>
  `${method} ${variation ?? `seed ${seed}`}`;

function addFile(spool: SpoolWriter, directory: string, file: string, path = file): void {
  if (existsSync(join(directory, file))) spool.write({ type: 'artifact', path, file });
}

async function addReport(spool: SpoolWriter, directory: string): Promise<void> {
  for (const file of await writeRunReport(directory)) addFile(spool, directory, file);
}

async function addPerClass(spool: SpoolWriter, directory: string, table: string): Promise<void> {
  await writeFileAtomic(join(directory, PER_CLASS), table);
  addFile(spool, directory, PER_CLASS, 'per_class.json');
  spool.tags({ 'mlflow.loggedArtifacts': JSON.stringify([{ path: 'per_class.json', type: 'table' }]) });
}

async function addLastCheckpoint(spool: SpoolWriter, directory: string): Promise<void> {
  const epoch = (await checkpointEpochs(directory)).at(-1);
  if (epoch !== undefined) addCheckpoint(spool, directory, checkpointPath(directory, epoch));
}

function addCheckpoint(spool: SpoolWriter, directory: string, checkpoint: string): void {
  const path = `checkpoints/${basename(checkpoint)}`;
  addFile(spool, directory, path);
  spool.tags({ 'mlflow.latest_checkpoint_artifact': path });
}

/**
 * The trained model in the form that MLflow loads; none of a run without checkpoints, or without TensorFlow, whose ops are what
 * is exported. What writes it is imported only now: it imports this plugin.
 */
async function exportModel({ engine }: Run, directory: string): Promise<void> {
  if (engine.tensorflow === null || (await checkpointEpochs(directory)).length === 0) return;
  const { exportRun } = await import('tailmix/predict');
  await exportRun(directory, { format: 'mlflow', folder: join(directory, spoolFiles.model), force: true });
}

/** Of a model, on its page. */
const LOADING =
  '`mlflow.pyfunc.load_model` opens it: a table with a column `image`, JPEG or PNG files as bytes or in base64, gives `class`, ' +
  '`probability` and `probabilities`.';

/** The trained model, as MLflow 3 lists it: linked to the test's figures of the last epoch, with what describes it. */
function addModel(
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
