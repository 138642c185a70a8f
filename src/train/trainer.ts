import { type Backend, holdBackend } from '../backend/load.ts';
import { type ComposedPhase, composeRun } from '../compose/compose-run.ts';
import { metricsAt, type Place } from '../compose/span.ts';
import type { Composition } from '../compose/types.ts';
import { internal, TailmixError } from '../errors.ts';
import type { EpochMetrics, RunSummary } from '../metrics/types.ts';
import type { Run, Snapshot } from '../run.ts';
import { signatureFor } from '../step/signature.ts';
import type { EpochContext } from '../step/types.ts';
import { own as ownDirectory } from '../tracking/ownership.ts';
import { yieldToEventLoop } from '../util/event-loop.ts';
import { mapValues } from '../util/map-values.ts';
import { callAll, reportFailure } from '../util/observers.ts';
import { createMeter, planEpoch } from './epoch.ts';
import { evaluate } from './evaluate.ts';
import { type Fit, openFit, trainStep } from './fit.ts';
import { createRun, loadStates, type OpenRun, runInPhase } from './open-run.ts';
import { type Phase, phaseOfEpoch, phasesOf } from './phases.ts';
import { type Preparation, prepare, readData, startedFrom, type TrainerOptions } from './prepare.ts';

export type { TrainerOptions } from './prepare.ts';

/** What a run leaves in memory. */
export interface RunResult {
  summary: RunSummary;
  epochs: readonly EpochMetrics[];
  /** Trained weights and everything else a run can be resumed from; null when it was aborted within an epoch. */
  snapshot: Snapshot | null;
}

/**
 * Makes a trainer; `run()` trains, evaluates and tells every observer, once. Several may run at the same time in one
 * process, on one backend; each comes to what it would alone.
 *
 * @example
 * await createTrainer({ data: { name: 'digits' }, model: { name: 'small-cnn' }, plugins: [mixup(), remix({ kappa: 3 })] }).run();
 */
export function createTrainer(options: TrainerOptions): { run(): Promise<RunResult> } {
  return { run: () => trainAlone(options) };
}

/** A run's directory has one owner at a time. */
async function trainAlone(options: TrainerOptions): Promise<RunResult> {
  if (options.directory === undefined || options.ownership) return train(options);
  const ownership = await ownDirectory(options.directory);
  try {
    return await train({ ...options, ownership });
  } finally {
    await ownership.release();
  }
}

type PreparedPhase = ComposedPhase<Phase & Preparation>;

/** What all phases of a run share. */
interface Session {
  run: OpenRun;
  backend: Backend;
  /** Plugins that span the phases; null where there is one. */
  spanning: Composition | null;
}

async function train(options: TrainerOptions): Promise<RunResult> {
  const data = await readData(options);
  const prepared = await Promise.all(
    phasesOf(options).map(async (phase) => ({ ...phase, ...(await prepare(phase.options, data)) })),
  );
  const { phases, spanning, info, plan } = composeRun(options, prepared, { run: () => session.run });
  const { backend, release } = await holdBackend(options.backend);
  const run = createRun({ options, settings: prepared[0]!.settings, data }, { info, plan, backend, spanning });
  const session: Session = { run, backend, spanning };
  try {
    return await trainPhases(phases, session, options.resume);
  } finally {
    release();
  }
}

async function trainPhases(
  phases: readonly PreparedPhase[],
  session: Session,
  resume: Snapshot | undefined,
): Promise<RunResult> {
  const { run, spanning } = session;
  let before: Snapshot | null = null;
  if (resume && spanning) loadStates(resume, spanning);
  for (const phase of resume ? phases.slice(phases.indexOf(phaseOfEpoch(phases, resume.epoch + 1))) : phases) {
    const source: Snapshot | null = before ?? (phase.options.resume ? null : (resume ?? null));
    const begun = source === null ? phase : { ...phase, ...startedFrom(phase, source) };
    const position = { begins: before === null, ends: phase === phases.at(-1) };
    const { summary, snapshot } = await trainPhase(begun, session, position);
    if (position.ends || run.stopReason !== null) return { summary, epochs: run.epochs, snapshot };
    before = snapshot;
  }
  throw internal('a run without phases');
}

async function trainPhase(
  phase: PreparedPhase,
  { run, backend, spanning }: Session,
  { begins, ends }: { begins: boolean; ends: boolean },
): Promise<Omit<RunResult, 'epochs'>> {
  const { composition, info, place, before } = phase;
  const { hooks } = composition;
  const own = place === null ? run : runInPhase(run, info, before);
  const fail = async (error: unknown): Promise<never> => {
    run.fail(error);
    // Its files are someone else's by now.
    if (error instanceof TailmixError && error.code === 'DIRECTORY_LOST') throw error;
    await hooks.onError.promise(error as Error, own).catch(reportFailure);
    await spanning?.hooks.onError.promise(error as Error, run).catch(reportFailure);
    throw error;
  };
  const opening = openFit(phase, composition, backend);
  const fit = await (begins ? opening : opening.catch(fail));
  run.enter(fit);
  try {
    await callAll([() => hooks.onTrainBegin.promise(own), () => begins && spanning?.hooks.onTrainBegin.promise(run)]);
    for (let epoch = own.resumedFrom + 1; epoch <= info.epochs && run.stopReason === null; epoch++) {
      await trainEpoch(fit, { run, own, place }, epoch);
    }
    const isOver = ends || run.stopReason !== null;
    if (isOver) await completeEvaluation(fit, run);
    const summary = run.summary();
    await callAll([
      () => hooks.onTrainEnd.promise(summary, own),
      () => isOver && spanning?.hooks.onTrainEnd.promise(summary, run),
    ]);
    return { summary, snapshot: run.midEpoch ? null : run.snapshot() };
  } catch (error) {
    return await fail(error);
  } finally {
    await fit.loader.close();
    fit.engine.dispose();
  }
}

/** @param epoch - counts from the phase's beginning; images are drawn and augmented by the run's epoch. */
async function trainEpoch(
  fit: Fit,
  { run, own, place }: { run: OpenRun; own: Run; place: Place | null },
  epoch: number,
): Promise<void> {
  const { composition, data, info, settings, program, engine, loader } = fit;
  const { hooks, draws } = composition;
  const epochOfRun = epoch + (place?.epochs ?? 0);
  await hooks.onEpochBegin.promise(epoch, own);
  if (epoch === own.resumedFrom + 1) fit.verify.beforeFirstStep();
  const ctx: EpochContext = { epoch, rehearsal: false };
  const steps = planEpoch({
    subset: data.train,
    seed: info.seed,
    epoch: epochOfRun,
    batchSize: info.batchSize,
    dropLast: settings.train.dropLast,
    samplingWeights: hooks.computeSamplingWeights.call(null, ctx),
    draws: mapValues(draws, (weights) => () => weights(epoch)),
  });
  const classWeights = hooks.computeClassWeights.call(new Float64Array(info.classes.length).fill(1), ctx);
  const meter = createMeter();
  const start = performance.now();
  const waited = loader.waitMs;
  let stepInEpoch = 0;
  run.midEpoch = true;
  for await (const rows of loader.load(data.train.split, steps, epochOfRun, true)) {
    const planned = steps[stepInEpoch++]!;
    const step = (epoch - 1) * info.stepsPerEpoch + stepInEpoch;
    const result = trainStep(fit, planned, rows, classWeights, { ...ctx, step, stepInEpoch });
    rows.release();
    meter.add(result);
    hooks.onBatchEnd.call(result);
    await yieldToEventLoop();
    if (fit.options.signal?.aborted) return run.stop(String(fit.options.signal.reason ?? 'aborted'));
  }
  fit.verify.afterSteps();
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
  run.epochs.push(place === null ? metrics : metricsAt(metrics, place));
  await fit.options.ownership?.confirm();
  await hooks.onEpochEnd.promise(metrics, own);
}

/** A run resumed after its last epoch knows that epoch's figures, but for the confusion matrix. */
async function completeEvaluation({ engine, program, loader, data, info }: Fit, run: OpenRun): Promise<void> {
  const last = run.epochs.at(-1);
  if (!last?.test || last.test.confusion !== null) return;
  last.test = await evaluate(engine, signatureFor(program, 'predict', {}), loader, data.test, info);
}
