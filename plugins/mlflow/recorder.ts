import { randomUUID } from 'node:crypto';
import { join, relative } from 'node:path';
import { type CheckpointInfo, type EpochMetrics, type Run, type RunSummary, runFiles, writeFileAtomic } from 'tailmix';
import { ensureSweepRun, type Figures, openSpool, type RunEnd, spoolFiles, sweepMembership } from 'tailmix/tracking';
import { addCheckpoint, addFile, addLastCheckpoint, addPerClass, addReport } from './artifacts.ts';
import { datasetsOf } from './datasets.ts';
import { modelSummary, paramsOf, runTags, sourceTags } from './describe.ts';
import { epochFigures, finalFigures } from './figures.ts';
import { gitTags } from './git.ts';
import { addModel, exportModel } from './model.ts';
import type { MlflowOptions } from './options.ts';
import { samplingSeconds, startSampling } from './sampling.ts';
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
