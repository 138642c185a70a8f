import { holdBackend } from '../backend/load.ts';
import { expectAlike, expectSameState, gatherTexts, patient } from '../cluster/exchange.ts';
import type { Link } from '../cluster/link.ts';
import { type ComposedPhase, composeRun } from '../compose/compose-run.ts';
import { metricsAt, type Place } from '../compose/span.ts';
import { textsOf } from '../data/identity.ts';
import { internal, messageOf, TailmixError, toError } from '../errors.ts';
import type { EpochMetrics, RunSummary } from '../metrics/types.ts';
import type { Run, Snapshot, SnapshotData } from '../run.ts';
import type { EpochContext } from '../step/types.ts';
import { own as ownDirectory } from '../tracking/ownership.ts';
import { keepSources } from '../tracking/sources.ts';
import { yieldToEventLoop } from '../util/event-loop.ts';
import { callAll, reportFailure } from '../util/observers.ts';
import { backboneOf } from './backbone.ts';
import { computedBy, warnOfOtherArithmetic } from './computed-by.ts';
import { createMeter, ownSteps, planEpoch, strengthIn } from './epoch.ts';
import { completeEvaluation, evaluateOn } from './evaluate-split.ts';
import { keepFile } from './features.ts';
import { decideStep, openFit, startStep } from './fit.ts';
import { warnOfHighLoss } from './loss-high.ts';
import {
  addEpoch,
  askedUntil,
  beginProgress,
  createPhaseRun,
  createRun,
  loadStates,
  type Progress,
  type RunParts,
} from './open-run.ts';
import { withPartnerImages } from './partner-images.ts';
import { type Phase, phaseOfEpoch, phasesOf } from './phases.ts';
import { type Preparation, prepare, readData, startedFrom, type TrainerOptions, throwFailure } from './prepare.ts';
import { withPrepared } from './prepared.ts';
import { readResults } from './read-results.ts';
import { expectRecorded } from './record.ts';
import { checkState, frozen, rateFactor, rollBack, rollbackRule } from './rollback.ts';
import { seenData } from './seen-data.ts';
import { checkStartFile } from './start.ts';

export type { TrainerOptions } from './prepare.ts';

/** What a run leaves in memory. */
export interface RunResult {
  summary: RunSummary;
  /** Of confusion matrices only those of the last evaluation. */
  epochs: readonly EpochMetrics[];
  /** Trained weights and everything else a run can be resumed from; null when it was aborted within an epoch. */
  snapshot: Snapshot | null;
}

/** The trainer of options that have been checked, as a config's are; the package exports the one that checks them. */
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

/** A run whose first phase is open. */
interface Session {
  parts: RunParts;
  progress: Progress;
  run: Run;
}

async function train(given: TrainerOptions): Promise<RunResult> {
  const options = await withPrepared(given);
  await keepOwn(options);
  const data = await readData(options);
  expectRecorded(options, data);
  if (data.info.features) await keepFile(options);
  const prepared = await Promise.all(
    phasesOf(options).map(async (phase) => ({ ...phase, ...(await prepare(phase.options, data)) })),
  );
  const { phases, ...composed } = composeRun(options, prepared);
  const seen = seenData(options, data, prepared[0]!.initialData);
  if (options.link) expectAlike(patient(options.link), factsOf(composed.brief, seen, options));
  await checkStartFile(options);
  const { backend, release } = await holdBackend(options.backend);
  const { settings } = prepared[0]!;
  try {
    return await trainPhases(phases, {
      options,
      settings,
      data,
      seen,
      ...composed,
      backboneOf: await backboneOf(options, prepared),
      backend,
      started: performance.now(),
    });
  } finally {
    release();
  }
}

/** Keeps the user's own code and what plugins have read in the directory of a run that begins. */
async function keepOwn({ directory, resume, config, plugins = [], phases = [] }: TrainerOptions): Promise<void> {
  if (directory === undefined || resume) return;
  const all = [...plugins, ...phases.flatMap((phase) => phase.plugins ?? [])];
  const pins = all.flatMap(({ prepared }) => (prepared ? [prepared.pins] : []));
  await keepSources(directory, config?.modules ?? [], pins);
}

async function trainPhases(phases: readonly PreparedPhase[], parts: RunParts): Promise<RunResult> {
  const { resume } = parts.options;
  if (resume && parts.spanning) loadStates(resume, parts.spanning);
  const due = resume ? phases.slice(phases.indexOf(phaseOfEpoch(phases, resume.epoch + 1))) : phases;
  let session: Session | null = null;
  let before: Snapshot | null = null;
  for (const phase of due) {
    const source: Snapshot | null = before ?? (phase.options.resume ? null : (resume ?? null));
    const begun = source === null ? phase : { ...phase, ...startedFrom(phase, source) };
    session = await openPhase(begun, parts, session);
    const { progress } = session;
    const position = { begins: phase === due[0], ends: phase === phases.at(-1) };
    const { summary, snapshot } = await trainPhase(begun, session, position);
    if (position.ends || progress.stopReason !== null) return { summary, epochs: progress.epochs, snapshot };
    before = snapshot;
  }
  throw internal('a run without phases');
}

/**
 * Opens a phase, and with the first one the run: what fails before is no run's failure, as what is wrong in a config.
 *
 * @param session - null before the first phase
 */
async function openPhase(phase: PreparedPhase, parts: RunParts, session: Session | null): Promise<Session> {
  const opening = openFit(phase, phase.composition, parts.backend, parts.info.epochs);
  if (session === null) {
    const progress = beginProgress(await opening, parts);
    warnOfOtherArithmetic(parts.options, computedBy(parts.backend, progress.fit.engine));
    return { parts, progress, run: createRun(parts, progress) };
  }
  session.progress.fit = await opening.catch((error: unknown) => failed(phase, session, error));
  return session;
}

/** The run as the phase's plugins see it. */
const runOf = ({ place, info, before }: PreparedPhase, session: Session): Run =>
  place === null ? session.run : createPhaseRun(session.run, session, { info, before });

/** Ends a run with its first error, once its observers have seen it. */
async function failed(phase: PreparedPhase, session: Session, thrown: unknown): Promise<never> {
  const error = toError(thrown);
  const { progress, parts, run } = session;
  progress.failure = messageOf(error);
  // Its files are someone else's by now.
  if (error instanceof TailmixError && error.code === 'DIRECTORY_LOST') throw error;
  await phase.composition.hooks.onError.promise(error, runOf(phase, session)).catch(reportFailure);
  await parts.spanning?.hooks.onError.promise(error, run).catch(reportFailure);
  throw error;
}

async function trainPhase(
  phase: PreparedPhase,
  session: Session,
  { begins, ends }: { begins: boolean; ends: boolean },
): Promise<Omit<RunResult, 'epochs'>> {
  const { composition, info, place, before } = phase;
  const { hooks } = composition;
  const { parts, progress, run } = session;
  const { fit } = progress;
  const { link } = parts.options;
  const observers = parts.spanning?.hooks;
  const own = runOf(phase, session);
  try {
    await callAll([() => hooks.onTrainBegin.promise(own), () => begins && observers?.onTrainBegin.promise(run)]);
    const begin = rollbackRule(fit.settings.train) && frozen(run.snapshot());
    for (let epoch = own.resumedFrom + 1; epoch <= info.epochs && progress.stopReason === null; epoch++) {
      try {
        await trainEpoch(progress, { own, place, isLast: ends && epoch === info.epochs }, epoch);
        if (link) progress.stopReason = agreedStop(link, progress.stopReason);
      } catch (error) {
        epoch = (await rollBack(error, { parts, progress, begin })) - before;
      }
    }
    const isOver = ends || progress.stopReason !== null;
    await completeEvaluation(progress, before);
    throwFailure(parts.options.signal);
    const summary = run.summary();
    await callAll([
      () => hooks.onTrainEnd.promise(summary, own),
      () => isOver && observers?.onTrainEnd.promise(summary, run),
    ]);
    return { summary, snapshot: progress.midEpoch ? null : run.snapshot() };
  } catch (error) {
    return await failed(phase, session, error);
  } finally {
    await fit.loader.close();
    fit.engine.dispose();
  }
}

/** @param epoch - counts from the phase's beginning; images are drawn and augmented by the run's epoch. */
async function trainEpoch(
  progress: Progress,
  { own, place, isLast }: { own: Run; place: Place | null; isLast: boolean },
  epoch: number,
): Promise<void> {
  const { fit } = progress;
  const { composition, data, info, settings, engine, loader } = fit;
  const { hooks, groups } = composition;
  const { link, signal } = fit.options;
  const epochOfRun = epoch + (place?.epochs ?? 0);
  await hooks.onEpochBegin.promise(epoch, own);
  if (epoch === own.resumedFrom + 1) fit.verify.beforeFirstStep();
  const ctx: EpochContext = { epoch, rehearsal: false };
  const steps = planEpoch({
    subset: data.train,
    validation: data.validation,
    seed: info.seed,
    epoch: epochOfRun,
    phaseEpoch: epoch,
    batchSize: info.batchSize,
    dropLast: settings.train.dropLast,
    samplingWeights: hooks.computeSamplingWeights.call(null, ctx),
    groups,
    strength: strengthIn(hooks, info, ctx),
  });
  const classWeights = hooks.computeClassWeights.call(new Float64Array(info.classes.length).fill(1), ctx);
  const meter = createMeter();
  const start = performance.now();
  const waited = loader.waitMs;
  let stepInEpoch = 0;
  const results = readResults(fit, (result) => {
    meter.add(result);
    hooks.onBatchEnd.call(result);
  });
  progress.midEpoch = true;
  const loaded = loader.load(data.train.split, link ? ownSteps(steps, link) : steps, epochOfRun, true, fit.sources);
  for await (const rows of loaded) {
    const planned = steps[stepInEpoch++]!;
    const step = (epoch - 1) * info.stepsPerEpoch + stepInEpoch;
    const at = { ...ctx, step, stepInEpoch };
    const decided = decideStep(fit, planned, at);
    const images = fit.program.hasPartners
      ? await withPartnerImages(fit, rows.images, planned, decided.batch, epochOfRun)
      : rows.images;
    results.add(startStep(fit, decided, images, classWeights, at, rateFactor(progress)));
    rows.release();
    await yieldToEventLoop();
    throwFailure(signal);
    const asked = link ? link.stoppedBy !== null : signal?.aborted;
    if (asked) results.flush();
    if (asked) return own.stop(signal?.aborted ? String(signal.reason) : `rank ${link!.stoppedBy} was asked to stop`);
  }
  results.flush();
  fit.verify.afterSteps();
  progress.midEpoch = false;
  if (rollbackRule(settings.train)) checkState(fit, epochOfRun);
  if (link) expectSameState(link, engine.read(), epochOfRun);
  if (epochOfRun === fit.options.until && !isLast) own.stop(askedUntil(epochOfRun));
  const seconds = (performance.now() - start) / 1000;
  const waitSeconds = (loader.waitMs - waited) / 1000;
  const due = epoch % settings.evaluate.every === 0 || epoch === info.epochs || progress.stopReason !== null;
  const validation = due ? await evaluateOn(progress, 'validation', epoch) : null;
  const metrics: EpochMetrics = {
    epoch,
    step: epoch * info.stepsPerEpoch,
    ...meter.result('mix' in composition.provides, seconds),
    seconds,
    waitSeconds,
    test: due ? await evaluateOn(progress, 'test', epoch) : null,
    validation,
  };
  warnOfHighLoss(metrics, info.classes.length, progress.epochs);
  addEpoch(progress, place === null ? metrics : metricsAt(metrics, place));
  await fit.options.ownership?.confirm();
  await hooks.onEpochEnd.promise(metrics, own);
}

/** What all processes of a cluster have in common, once their data are read. */
const factsOf = (brief: string, seen: SnapshotData, { config }: TrainerOptions): Record<string, string> => ({
  ...textsOf(seen),
  config: config?.hash ?? 'none',
  ...Object.fromEntries(brief.split('\n').map((line, i) => [`plan (line ${i + 1})`, line])),
});

/** A run of several processes stops after an epoch where any of them would. */
function agreedStop(link: Link, own: string | null): string | null {
  const reasons = gatherTexts(patient(link), own ?? '');
  return own ?? reasons.find((reason) => reason !== '') ?? null;
}
