import { resourceUsage } from 'node:process';
import { type BackendChoice, loadBackend } from '../backend/load.ts';
import { whyWithoutCustomOps } from '../backend/native.ts';
import type { Link } from '../cluster/link.ts';
import { compose } from '../compose/compose.ts';
import type { LoadedData } from '../data/types.ts';
import type { KeptRecordings } from '../graph/index.ts';
import { median } from '../metrics/statistics.ts';
import type { EpochMetrics } from '../metrics/types.ts';
import type { ModelName } from '../models/model-names.ts';
import { modelOptions } from '../models/options.ts';
import type { Plugin } from '../plugin.ts';
import { deviceOf } from '../step/index.ts';
import { signatureFor } from '../step/signature.ts';
import { ownSteps, planEpoch } from '../train/epoch.ts';
import { startLogits } from '../train/evaluate.ts';
import { decideStep, openFit, startStep } from '../train/fit.ts';
import type { TrainOptions } from '../train/options.ts';
import { prepare, type TrainerOptions } from '../train/prepare.ts';
import { recordRun } from '../train/record.ts';
import { createTrainer } from '../train/trainer.ts';
import { AUGMENT } from './loader.ts';
import { noiseData } from './noise.ts';

/** What to measure. */
export interface StepBenchOptions {
  model: ModelName;
  batch: number;
  precision: TrainOptions['precision'];
  step: TrainOptions['step'];
  /** Side of the square images, in pixels. */
  imageSize: number;
  classes: number;
  /** Timed rounds; the figure is their median. */
  rounds: number;
  /** Steps of a round. */
  steps: number;
  backend: BackendChoice;
  /** What the step does beside plain training, for example mixup and remix. */
  plugins: readonly Plugin[];
  /** Trains the classifier alone, on features of a network that stays as it is, its batch norms' averages too. Default: false. */
  frozen?: boolean;
  /** Parts that each batch is trained in. Default: 1. */
  replicas?: number;
  /** What computes, as `train.device` has it. Default: that of a run. */
  device?: string;
  /** Of `recordStepBench`, for a device: TensorFlow is not needed. */
  recordings?: KeptRecordings;
  /** In a process of a cluster, what connects it with the others: all of them take the same steps. */
  link?: Link;
}

/** Throughput of the bare step: no loader, no metrics. */
export interface StepBenchResult {
  model: string;
  batch: number;
  precision: string;
  precisionReason: string | null;
  /** Median over the rounds. */
  imagesPerSecond: number;
  /** Prediction, batches of the same size, median. */
  evaluationImagesPerSecond: number;
  /** Images per second of each round. */
  rounds: number[];
  backend: string;
  tensorflow: string | null;
  threads: number;
  stepMode: string;
  stepModeReason: string | null;
  /** The device that computes; null where TensorFlow does. */
  device: string | null;
  /** Why tailmix's custom ops are not used, or `null` if they are. */
  customOpsReason: string | null;
  compileMs: number;
  /** Of the whole process, highest so far. */
  peakMemoryBytes: number;
  /** Of the (first) device, highest so far; null where it does not tell. */
  deviceMemoryBytes: number | null;
  plugins: string[];
}

/** A step that is built and can be timed. */
export interface OpenStepBench {
  /** Runs that many training or prediction steps; images per second. */
  time(work: 'train' | 'predict', steps: number): number;
  /** Everything of the result that is not a rate. */
  describe(): Omit<StepBenchResult, 'imagesPerSecond' | 'evaluationImagesPerSecond' | 'rounds'>;
  close(): Promise<void>;
}

/** Distinct batches that the steps go through. */
const BATCHES = 8;

/**
 * Times real training steps on random pixels: each with another uint8 batch, the plugins' decisions, normalisation,
 * mixing, weight decay, running statistics, and the loss read back.
 */
export async function benchStep(options: StepBenchOptions): Promise<StepBenchResult> {
  const bench = await openStepBench(options);
  const rounds = (work: 'train' | 'predict'): number[] =>
    Array.from({ length: options.rounds }, () => bench.time(work, options.steps));
  try {
    const trained = rounds('train');
    return {
      ...bench.describe(),
      imagesPerSecond: median(trained),
      evaluationImagesPerSecond: median(rounds('predict')),
      rounds: trained,
    };
  } finally {
    await bench.close();
  }
}

/** What a figure was measured without, though it is faster with it: a line each. */
export function shortcomings(
  result: Pick<StepBenchResult, 'precisionReason' | 'stepModeReason' | 'customOpsReason'>,
): string[] {
  return [
    ...(result.precisionReason ? [`in float32: ${result.precisionReason}`] : []),
    ...(result.stepModeReason ? [`eagerly: ${result.stepModeReason}`] : []),
    ...(result.customOpsReason ? [`without custom ops: ${result.customOpsReason}`] : []),
  ];
}

/** What is built and recorded. */
export type StepBenchRun = Omit<StepBenchOptions, 'rounds' | 'steps' | 'backend'>;

/** The run whose steps are measured, on noise. */
function runOf({ batch, imageSize, classes, precision, ...options }: StepBenchRun): TrainerOptions {
  const { step, device, replicas, link, recordings } = options;
  return {
    name: 'bench',
    data: noiseData(batch * BATCHES, classes, [imageSize, imageSize, 3]),
    model: modelOptions.parse({ name: options.model }),
    plugins: options.plugins,
    ...(options.frozen && { start: { freeze: ['backbone'], frozenNorm: 'running' } }),
    train: {
      epochs: 1,
      batchSize: batch,
      precision,
      step,
      dropLast: true,
      ...(device !== undefined && { device }),
      ...(replicas && { replicas }),
    },
    ...(link && { link }),
    ...(recordings && { recordings }),
    evaluate: { batchSize: batch / (link?.processes ?? 1) },
  };
}

/** Recordings of a step that is to be measured where there is no TensorFlow. */
export const recordStepBench = (options: StepBenchRun): Promise<KeptRecordings> =>
  recordRun({ ...runOf(options), backend: 'native' });

/**
 * A whole epoch of the same steps with what surrounds them: crop and flip by `workers` threads, metrics, an evaluation.
 *
 * @returns images per second of the second epoch's steps, and the seconds that they waited for images
 */
export async function benchEpoch({
  backend,
  workers,
  ...options
}: StepBenchRun & Pick<StepBenchOptions, 'backend'> & { workers: number }): Promise<
  Pick<EpochMetrics, 'imagesPerSecond' | 'waitSeconds' | 'seconds'>
> {
  const run = runOf(options);
  const data = { ...(run.data as LoadedData), augment: AUGMENT, workers };
  const { epochs } = await createTrainer({ ...run, backend, data, train: { ...run.train, epochs: 2 } }).run();
  const { imagesPerSecond, waitSeconds, seconds } = epochs.at(-1)!;
  return { imagesPerSecond, waitSeconds, seconds };
}

/** Builds the step and warms it up. */
export async function openStepBench(options: Omit<StepBenchOptions, 'rounds' | 'steps'>): Promise<OpenStepBench> {
  const { batch, imageSize, classes, link } = options;
  const own = batch / (link?.processes ?? 1);
  const preparation = await prepare(runOf(options));
  const { info, data } = preparation;
  const backend = await loadBackend(options.backend);
  const composition = compose(options.plugins, info);
  const fit = await openFit(preparation, composition, backend);
  const planned = planEpoch({
    subset: data.train,
    seed: 0,
    epoch: 1,
    batchSize: batch,
    dropLast: true,
    samplingWeights: null,
    groups: composition.groups,
  });
  const noise = new Uint8Array((data.train.split.pixels as { bytes: SharedArrayBuffer }).bytes);
  const imageBytes = imageSize * imageSize * 3;
  // Noise like any other, where it lies: a second copy would count as memory of the step.
  const batches = (link ? ownSteps(planned, link) : planned).map(({ indices }, at) => {
    const bytes = indices.length * imageBytes;
    const end = Math.min(noise.length, (at + 1) * bytes);
    return noise.subarray(end - bytes, end);
  });
  const weights = new Float64Array(classes).fill(1);
  const signature = signatureFor(fit.program, 'predict', {});
  // Where a plugin draws more rows, a step loads more than it predicts.
  const pixels = batches.map((images) => images.subarray(0, own * imageBytes));
  let step = 0;
  const work = {
    train(): () => unknown {
      const at = step++ % batches.length;
      const ctx = { epoch: 1, step, stepInEpoch: step, rehearsal: false };
      return startStep(fit, decideStep(fit, planned[at]!, ctx), batches[at]!, weights, ctx);
    },
    predict: () => startLogits(fit.engine, signature, pixels[step++ % pixels.length]!),
  };
  for (const run of [work.train, work.predict, work.train, work.predict]) run()();
  const device = await deviceOf(preparation.settings.train, backend);
  return {
    time(name, steps) {
      const start = performance.now();
      // As in a run: a step is read while a device computes the next one.
      let unread: (() => unknown) | null = null;
      for (let i = 0; i < steps; i++) {
        const started = work[name]();
        unread?.();
        unread = started;
      }
      unread?.();
      return (steps * batch * 1000) / (performance.now() - start);
    },
    describe: () => ({
      model: options.model,
      batch,
      precision: fit.engine.precision,
      precisionReason: fit.engine.precisionReason,
      backend: backend.name,
      tensorflow: backend.tensorflow,
      threads: backend.threads,
      stepMode: fit.engine.mode,
      stepModeReason: fit.engine.reason,
      device: fit.engine.device ?? null,
      customOpsReason:
        fit.engine.device !== undefined ? null : backend.name === 'wasm' ? 'WASM has none.' : whyWithoutCustomOps(),
      compileMs: fit.engine.compileMs,
      peakMemoryBytes: resourceUsage().maxRSS * 1024,
      deviceMemoryBytes: device?.memory()?.peak ?? null,
      plugins: options.plugins.map(({ definition }) => definition.name),
    }),
    async close() {
      await fit.loader.close();
      fit.engine.dispose();
    },
  };
}
