import type { Backend } from './backend/load.ts';
import { loadBackend } from './backend/load.ts';
import { checkBatch, checkTargets, createBatch, createTargets } from './batch.ts';
import { type Composition, compose } from './compose.ts';
import { createLoader } from './data/loader.ts';
import type { LoadedRows, Loader } from './data/types.ts';
import { createMeter, type PlannedStep, planEpoch } from './epoch.ts';
import { evaluate } from './evaluate.ts';
import type { BatchResult, StepContext } from './hooks.ts';
import type { EpochMetrics, RunSummary } from './metrics/types.ts';
import { createRun, type OpenRun } from './open-run.ts';
import { type Preparation, prepare, type TrainerOptions } from './prepare.ts';
import type { Snapshot } from './run.ts';
import { createEngine } from './step/index.ts';
import { trainFeeds } from './step/inputs.ts';
import { createOptimizer } from './step/optimizers.ts';
import { createStepProgram } from './step/program.ts';
import { signatureFor } from './step/signature.ts';
import type { Engine, StepProgram } from './step/types.ts';
import { classWeightsInvalid, lossNotFinite } from './trainer-errors.ts';

/** What a run leaves in memory. */
export interface RunResult {
  summary: RunSummary;
  epochs: readonly EpochMetrics[];
  /** Trained weights and everything else a run can be resumed from. */
  snapshot: Snapshot;
}

/** A run in progress: what the loop works with. */
interface Fit extends Preparation {
  composition: Composition;
  program: StepProgram;
  engine: Engine;
  loader: Loader;
  run: OpenRun;
}

/**
 * Makes a trainer; `run()` trains, evaluates and tells every observer, once.
 *
 * @example
 * await createTrainer({ data: { name: 'digits' }, model: { name: 'small-cnn' }, plugins: [mixup(), remix({ kappa: 3 })] }).run();
 */
export function createTrainer(options: TrainerOptions): { run(): Promise<RunResult> } {
  return { run: async () => train(await prepare(options)) };
}

async function train(preparation: Preparation): Promise<RunResult> {
  const { options, info } = preparation;
  const composition = compose(options.plugins ?? [], info, options.known);
  const backend = await loadBackend(options.backend);
  const fit = openFit(preparation, composition, backend);
  const { run, loader, engine } = fit;
  const { hooks } = composition;
  try {
    await hooks.onTrainBegin.promise(run);
    for (let epoch = run.resumedFrom + 1; epoch <= info.epochs && run.stopReason === null; epoch++) {
      await trainEpoch(fit, epoch);
    }
    await completeEvaluation(fit);
    const summary = run.summary();
    await hooks.onTrainEnd.promise(summary, run);
    return { summary, epochs: run.epochs, snapshot: run.snapshot() };
  } catch (error) {
    run.fail(error);
    await hooks.onError.promise(error as Error, run).catch(() => {});
    throw error;
  } finally {
    await loader.close();
    engine.dispose();
  }
}

function openFit(preparation: Preparation, composition: Composition, backend: Backend): Fit {
  const { settings, data, model, info } = preparation;
  const { train: trainSettings, evaluate: evaluateSettings } = settings;
  const { batchSize, dropLast } = trainSettings;
  const rest = info.trainCount % batchSize;
  const program = createStepProgram(model, composition, {
    seed: info.seed,
    imageShape: info.imageShape,
    mean: data.info.mean,
    std: data.info.std,
    batchSizes: [...(info.trainCount >= batchSize ? [batchSize] : []), ...(rest > 0 && !dropLast ? [rest] : [])],
    evaluateBatchSize: Math.min(evaluateSettings.batchSize, data.test.indices.length),
    optimizer: createOptimizer(trainSettings.optimizer),
  });
  const engine = createEngine(program, backend, trainSettings);
  const run = createRun({ preparation, composition, program, engine, backend });
  const loader = createLoader({
    shape: info.imageShape,
    augment: data.augment,
    seed: info.seed,
    workers: settings.workers,
  });
  return { ...preparation, composition, program, engine, loader, run };
}

async function trainEpoch(fit: Fit, epoch: number): Promise<void> {
  const { composition, data, info, settings, program, engine, loader, run } = fit;
  const { hooks } = composition;
  await hooks.onEpochBegin.promise(epoch, run);
  const steps = planEpoch({
    subset: data.train,
    seed: info.seed,
    epoch,
    batchSize: info.batchSize,
    dropLast: settings.train.dropLast,
    samplingWeights: hooks.computeSamplingWeights.call(null, epoch),
    draws: composition.draws,
  });
  const classWeights = hooks.computeClassWeights.call(new Float64Array(info.classes.length).fill(1), epoch);
  if (
    !classWeights.every((weight) => weight >= 0 && weight < Infinity) ||
    classWeights.length !== info.classes.length
  ) {
    throw classWeightsInvalid(classWeights, info.classes.length);
  }
  const meter = createMeter();
  const start = performance.now();
  let stepInEpoch = 0;
  for await (const rows of loader.load(data.train.split, steps, epoch, true)) {
    const ctx: StepContext = {
      epoch,
      step: (epoch - 1) * info.stepsPerEpoch + stepInEpoch + 1,
      stepInEpoch: stepInEpoch + 1,
    };
    const result = trainStep(fit, steps[stepInEpoch++]!, rows, classWeights, ctx);
    rows.release();
    meter.add(result);
    hooks.onBatchEnd.call(result);
    await new Promise(setImmediate);
    if (fit.options.signal?.aborted) return run.stop(String(fit.options.signal.reason ?? 'aborted'));
  }
  const trained = meter.result('mix' in composition.provides, (performance.now() - start) / 1000);
  const due = epoch % settings.evaluate.every === 0 || epoch === info.epochs || run.stopReason !== null;
  const predict = signatureFor(program, 'predict', {});
  const metrics: EpochMetrics = {
    epoch,
    step: epoch * info.stepsPerEpoch,
    ...trained,
    test: due ? await evaluate(engine, predict, loader, data.test, info) : null,
    validation: due && data.validation ? await evaluate(engine, predict, loader, data.validation, info) : null,
  };
  run.epochs.push(metrics);
  await hooks.onEpochEnd.promise(metrics, run);
}

/** A run resumed after its last epoch knows that epoch's figures, but for the confusion matrix. */
async function completeEvaluation({ run, engine, program, loader, data, info }: Fit): Promise<void> {
  const last = run.epochs.at(-1);
  if (!last?.test || last.test.confusion !== null) return;
  last.test = await evaluate(engine, signatureFor(program, 'predict', {}), loader, data.test, info);
}

function trainStep(
  fit: Fit,
  planned: PlannedStep,
  rows: LoadedRows,
  classWeights: Float64Array,
  ctx: StepContext,
): BatchResult {
  const { composition, info, settings, program, engine } = fit;
  const { hooks, variants, inputs } = composition;
  const { size, indices, draws } = planned;
  const learningRate = hooks.computeLearningRate.call(settings.train.optimizer.learningRate, ctx);
  const batch = hooks.onBatch.call(createBatch({ size, indices, labels: rows.labels, draws }, variants), ctx);
  checkBatch(batch, variants, inputs);
  const targets = hooks.computeTargets.call(createTargets(batch), ctx);
  checkTargets(targets, size);
  const feeds = trainFeeds({
    batch,
    targets,
    images: rows.images,
    imageShape: info.imageShape,
    classWeights,
    learningRate,
    reduction: settings.train.reduction,
  });
  const outputs = engine.run(signatureFor(program, 'train', batch.variants, size), feeds);
  const loss = outputs.loss![0]!;
  if (!Number.isFinite(loss)) throw lossNotFinite(loss, ctx, learningRate, engine.read());
  return {
    ...ctx,
    batch,
    targets,
    learningRate,
    loss,
    penalties: penaltiesOf(outputs),
    predictions: outputs.predictions as Int32Array,
  };
}

const PENALTY = 'penalty/';

const penaltiesOf = (outputs: Record<string, ArrayLike<number>>): Record<string, number> =>
  Object.fromEntries(
    Object.entries(outputs).flatMap(([name, value]) =>
      name.startsWith(PENALTY) ? [[name.slice(PENALTY.length), value[0]!]] : [],
    ),
  );
