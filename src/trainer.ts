import { loadBackend } from './backend/load.ts';
import { compose } from './compose.ts';
import { createMeter, planEpoch } from './epoch.ts';
import { evaluate } from './evaluate.ts';
import { type Fit, openFit, trainStep } from './fit.ts';
import type { StepContext } from './hooks.ts';
import type { EpochMetrics, RunSummary } from './metrics/types.ts';
import { type Preparation, prepare, type TrainerOptions } from './prepare.ts';
import type { Snapshot } from './run.ts';
import { signatureFor } from './step/signature.ts';
import { classWeightsInvalid } from './trainer-errors.ts';

export type { TrainerOptions } from './prepare.ts';

/** What a run leaves in memory. */
export interface RunResult {
  summary: RunSummary;
  epochs: readonly EpochMetrics[];
  /** Trained weights and everything else a run can be resumed from; null when it was aborted within an epoch. */
  snapshot: Snapshot | null;
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
  const fit = await openFit(preparation, composition, backend);
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
    return { summary, epochs: run.epochs, snapshot: run.midEpoch ? null : run.snapshot() };
  } catch (error) {
    run.fail(error);
    await hooks.onError.promise(error as Error, run).catch(() => {});
    throw error;
  } finally {
    await loader.close();
    engine.dispose();
  }
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
  const waited = loader.waitMs;
  let stepInEpoch = 0;
  run.midEpoch = true;
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
  run.midEpoch = false;
  const seconds = (performance.now() - start) / 1000;
  const waitSeconds = (loader.waitMs - waited) / 1000;
  const due = epoch % settings.evaluate.every === 0 || epoch === info.epochs || run.stopReason !== null;
  const predict = signatureFor(program, 'predict', {});
  const metrics: EpochMetrics = {
    epoch,
    step: epoch * info.stepsPerEpoch,
    ...meter.result('mix' in composition.provides, seconds),
    seconds,
    waitSeconds,
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
