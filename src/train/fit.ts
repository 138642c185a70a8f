import type { Backend } from '../backend/load.ts';
import type { Composition } from '../compose/types.ts';
import { rowShape, rowValues } from '../data/features.ts';
import { createLoader } from '../data/loader/loader.ts';
import type { Loader, OtherRows } from '../data/types.ts';
import type { HostOutputs } from '../graph/index.ts';
import { createBatch, createTargets, MIX, partsOfPairs } from '../step/batch.ts';
import { checkInputs } from '../step/decided.ts';
import { createEngine, deviceOf } from '../step/index.ts';
import { modelFeeds, trainFeeds } from '../step/inputs.ts';
import { withPartners } from '../step/partners.ts';
import { FIGURE, PENALTY, SAMPLE, STOP, type StepProgram } from '../step/program.ts';
import { signatureFor } from '../step/signature.ts';
import type { BatchResult, Engine, StepContext } from '../step/types.ts';
import { mapValues } from '../util/map-values.ts';
import { unprefixed } from '../util/prefixed.ts';
import type { PlannedStep } from './epoch.ts';
import { batchWithoutWeight, figureNotFinite, gradientNotFinite, lossNotFinite, penaltyNotFinite } from './errors.ts';
import { withInitialWeights } from './initial-weights.ts';
import { restore } from './open-run.ts';
import { batchSizesOf, makingOf, phaseProgram, shareOfDevices } from './phase-program.ts';
import type { Preparation } from './prepare.ts';
import { buildersTap, createRehearsal, isBuild, keepStates } from './rehearse.ts';
import { groupSources } from './rows.ts';

/** A phase of a run in progress: what a step works with. */
export interface Fit extends Preparation {
  composition: Composition;
  program: StepProgram;
  engine: Engine;
  loader: Loader;
  /** In a process of a cluster with `train.pairs: global`: reads images of partners that other processes train. */
  partnerLoader: Loader | null;
  /** Where the rows of plugins' groups are loaded from. */
  sources: readonly OtherRows[];
  /** Throws CAPTURE_VARIES if a plugin has changed, since the step was recorded, what its functions close over. */
  verify: Record<'beforeFirstStep' | 'afterSteps', () => void>;
}

/**
 * Builds the step and opens everything a phase needs, from its beginning or from `options.resume`. Close the loader and
 * dispose the engine afterwards.
 *
 * @param epochs - of the whole run. Default: of the phase.
 */
export async function openFit(
  preparation: Preparation,
  composition: Composition,
  backend: Backend,
  epochs = preparation.info.epochs,
): Promise<Fit> {
  const { settings, data, info } = preparation;
  const { link } = preparation.options;
  const { train: trainSettings, evaluate: evaluateSettings } = settings;
  const batchSizes = batchSizesOf(info, trainSettings);
  const sources = groupSources(composition, data);
  const loading = {
    shape: rowShape(data.info),
    augment: data.augment,
    mean: data.info.mean,
    seed: info.seed,
    epochs,
    workers: settings.workers,
  };
  const making = makingOf(preparation);
  const initial = await withInitialWeights(preparation, composition.plugins, {
    program: making,
    loader: loading,
    backend,
  });
  const start = { ...preparation.start, initial };
  const recorded = preparation.options.recordings?.programs[(info.phase?.number ?? 1) - 1];
  const synced = info.batchNorm === 'synced' && (info.replicas ?? 1) > 1;
  const computing = { ...trainSettings, synced, link, recorded };
  const devices = shareOfDevices((await deviceOf(computing, backend))?.count ?? 1, info, batchSizes);
  const program = phaseProgram({ ...preparation, start }, composition, { devices });
  const putBack = keepStates(composition);
  const engine = await createEngine(program, backend, {
    ...computing,
    rehearse: createRehearsal(composition, info, batchSizes, link?.processes ?? devices),
  }).finally(putBack);
  if (preparation.options.resume) restore(preparation.options.resume, composition, program, engine);
  const loader = createLoader({ ...loading, crops: evaluateSettings.crops });
  const partnerLoader = link && program.hasPartners ? createLoader({ ...loading, workers: 0 }) : null;
  const verify = verifyAt(composition, engine);
  return { ...preparation, start, composition, program, engine, loader, partnerLoader, sources, verify };
}

/** Nothing is recorded again where no plugin could change what it closes over. */
export function verifyAt(composition: Pick<Composition, 'timings'>, engine: Pick<Engine, 'verify'>): Fit['verify'] {
  const verifyIf = (needed: boolean) => (): void => {
    if (needed) engine.verify();
  };
  return {
    beforeFirstStep: verifyIf(buildersTap(composition, (hook) => hook === 'onTrainBegin' || hook === 'onEpochBegin')),
    afterSteps: verifyIf(buildersTap(composition, (hook) => !isBuild(hook))),
  };
}

/** What hooks decide for a step, on the host. */
export type DecidedStep = Pick<BatchResult, 'batch' | 'targets' | 'learningRate'>;

/**
 * Asks the hooks how a step is mixed, labelled and scaled.
 *
 * @throws {TailmixError} RETURNED_WRONG, or what a plugin threw.
 */
export function decideStep(
  { composition, info, settings }: Pick<Fit, 'composition' | 'info' | 'settings'>,
  planned: PlannedStep,
  ctx: StepContext,
): DecidedStep {
  const { hooks, variants, inputs } = composition;
  const { size, indices, labels, groups } = planned;
  const learningRate = hooks.computeLearningRate.call(settings.train.optimizer.learningRate, ctx);
  const created = createBatch({ size, replicas: partsOfPairs(info), indices, labels, groups }, variants);
  const batch = hooks.onBatch.call(created, ctx);
  checkInputs(batch, inputs);
  return { batch, targets: hooks.computeTargets.call(createTargets(batch), ctx), learningRate };
}

/** One training step: {@link startStep}, and what it came to. */
export const trainStep = (...given: Parameters<typeof startStep>): BatchResult => startStep(...given)();

/**
 * Starts a training step: the engine computes what the hooks have decided.
 *
 * @param images - `[rows, …]`, as bytes: of a process's own rows of the pool, and with `program.hasPartners` those of partners
 * @param classWeights - `[C]`
 * @param rateFactor - of the learning rate that hooks decide
 * @returns what waits for the step and gives its result, to be called once; it throws PENALTY_NOT_FINITE, LOSS_NOT_FINITE,
 *   GRADIENT_NOT_FINITE. Where another step was started meanwhile, state that an error describes is that of after it.
 * @throws {TailmixError} CLASS_WEIGHTS
 */
export function startStep(
  fit: Fit,
  { batch, targets, learningRate: decidedRate }: DecidedStep,
  images: Uint8Array,
  classWeights: Float64Array,
  ctx: StepContext,
  rateFactor = 1,
): () => BatchResult {
  const { composition, info, settings, program, engine } = fit;
  const { hooks, inputs } = composition;
  const { size } = batch;
  const learningRate = rateFactor * decidedRate;
  const { link, signal } = fit.options;
  const fed = program.hasPartners ? withPartners(batch, inputs) : batch;
  const feeds = {
    ...modelFeeds(fit.model, info.seed, ctx),
    ...trainFeeds({
      batch: fed,
      targets,
      images: rowValues(images, info.features !== undefined),
      imageShape: info.imageShape,
      classWeights,
      learningRate,
      reduction: settings.train.reduction,
    }),
  };
  if (!(feeds.normalizer![0]! > 0)) throw batchWithoutWeight(ctx, tappersOf(hooks.computeClassWeights));
  const signature = signatureFor(program, 'train', batch.variants, program.rowsOf(size));
  const own = program.own(feeds, batch.variants[MIX], { size, pool: fed.poolSize });
  const stop = link && {
    [STOP]: Float32Array.from(link.addresses, (_, rank) => Number(rank === link.rank && signal?.aborted)),
  };
  const fedToEngine = { ...own, ...stop };
  const outputsOf = engine.start?.(signature, fedToEngine);
  const computed = outputsOf ? null : engine.run(signature, fedToEngine);
  return () => resultOf(fit, { batch, targets, learningRate }, outputsOf?.() ?? computed!, ctx);
}

/** What a step came to, or why it may not go on. */
function resultOf(
  fit: Fit,
  { batch, targets, learningRate }: DecidedStep,
  outputs: HostOutputs,
  ctx: StepContext,
): BatchResult {
  const { composition, program, engine } = fit;
  const { hooks } = composition;
  const { link } = fit.options;
  const asked = outputs[STOP]?.findIndex((flag) => flag > 0) ?? -1;
  if (link && asked >= 0) link.stoppedBy = asked;
  const penalties = scalarsOf(outputs, PENALTY);
  const figures = scalarsOf(outputs, FIGURE);
  const loss = outputs.loss![0]!;
  const broken = Object.entries(penalties).find(([, penalty]) => !Number.isFinite(penalty));
  // Where both are not finite later on, the weights are at fault.
  if (broken && (Number.isFinite(loss) || ctx.step === 1)) throw penaltyNotFinite(...broken, ctx);
  if (!Number.isFinite(loss)) throw lossNotFinite(loss, ctx, learningRate, engine.read(), tappersOf(hooks.buildLoss));
  const bad = outputs.gradientSums!.findIndex((sum) => !Number.isFinite(sum));
  if (bad >= 0) {
    const builders = [...new Set([...tappersOf(hooks.buildLoss), ...tappersOf(hooks.buildGradients)])];
    throw gradientNotFinite(program.trained[bad]!, outputs.gradientSums![bad]!, ctx, learningRate, builders);
  }
  const wrong = Object.entries(figures).find(([, figure]) => !Number.isFinite(figure));
  if (wrong) throw figureNotFinite(...wrong, ctx);
  const { epoch, step, stepInEpoch } = ctx;
  return {
    epoch,
    step,
    stepInEpoch,
    batch,
    targets,
    learningRate,
    loss,
    penalties,
    figures,
    outputs: unprefixed(SAMPLE, outputs),
    predictions: outputs.predictions as Int32Array,
  };
}

/** Plugins that tap a hook, in order. */
const tappersOf = ({ taps }: { taps: readonly { name: string }[] }): string[] => taps.map(({ name }) => name);

const scalarsOf = (outputs: Record<string, ArrayLike<number>>, prefix: string): Record<string, number> =>
  mapValues(unprefixed(prefix, outputs), (value) => value[0]!);
