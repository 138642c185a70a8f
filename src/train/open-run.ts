import process from 'node:process';
import type { Backend } from '../backend/load.ts';
import type { Composition } from '../compose/types.ts';
import type { Subset } from '../data/types.ts';
import type { GraphProgram } from '../graph/index.ts';
import type { KeptLogits } from '../metrics/logits.ts';
import { summarizeEpochs, withoutConfusions } from '../metrics/summary.ts';
import type { EpochMetrics, Rollback, RunSummary } from '../metrics/types.ts';
import { isTrained } from '../models/kinds.ts';
import type { PhaseRun, Run, RunInfo, Snapshot, SnapshotData } from '../run.ts';
import { signatureFor } from '../step/signature.ts';
import type { Engine } from '../step/types.ts';
import { mapValues } from '../util/map-values.ts';
import { version } from '../version.ts';
import type { BackboneOf } from './backbone.ts';
import { computedBy } from './computed-by.ts';
import { countTuned } from './describe-run.ts';
import { snapshotMismatch } from './errors.ts';
import { logitPrior } from './evaluate-split.ts';
import type { Fit } from './fit.ts';
import type { Preparation } from './prepare.ts';
import { writeState } from './write-state.ts';

/** What a run has from its beginning to its end. */
export interface RunParts extends Pick<Preparation, 'options' | 'settings' | 'data'> {
  /** As plugins that span the run see it. */
  info: RunInfo;
  /** What it is trained on, and what its weights have seen. */
  seen: SnapshotData;
  plan: string;
  backboneOf: BackboneOf;
  backend: Backend;
  /** Plugins that span the phases; null where there is one. */
  spanning: Composition | null;
  /** By `performance.now()`. */
  started: number;
}

/** What the loop changes in the course of a run. */
export interface Progress {
  /** The phase in training. */
  fit: Fit;
  /** Metrics so far, those of before a resume first. */
  epochs: EpochMetrics[];
  /** Of the last evaluation, where they are kept. */
  logits: { test: KeptLogits | null; validation: KeptLogits | null };
  /** Of the last evaluation, beyond what is in it; null until the run has ended. */
  figures: Record<string, number> | null;
  /** How often the run went back, also before a resume. */
  rollbacks: Rollback[];
  stopReason: string | null;
  /** Message of the first error. */
  failure: string | null;
  /** True from an epoch's first step until its end: the state is then no epoch's, and no run could be resumed from it. */
  midEpoch: boolean;
}

/** Progress of a run whose first phase is open. */
export const beginProgress = (fit: Fit, { options }: Pick<RunParts, 'options'>): Progress => ({
  fit,
  epochs: [...(options.resume?.history ?? [])],
  logits: { test: null, validation: null },
  figures: null,
  rollbacks: [...(options.resume?.rollbacks ?? [])],
  stopReason: null,
  failure: null,
  midEpoch: false,
});

/** Why a run stops that was to be trained until an epoch. */
export const askedUntil = (epoch: number | undefined): string => `trained until epoch ${epoch}, as asked`;

/** Adds an epoch. Of confusion matrices only those of the last evaluation are kept. */
export function addEpoch({ epochs }: Pick<Progress, 'epochs'>, metrics: EpochMetrics): void {
  const last = metrics.test === null ? -1 : epochs.findLastIndex(({ test }) => test !== null);
  if (last >= 0) epochs[last] = withoutConfusions(epochs[last]!);
  epochs.push(metrics);
}

/** A run as observers see it. */
export const createRun = (parts: RunParts, progress: Progress): Run =>
  view(parts, progress, { info: parts.info, resumedFrom: parts.options.resume?.epoch ?? 0 });

/**
 * A run as the plugins of a phase see it: epochs count from the phase's beginning.
 *
 * @param before - epochs of the phases before it
 */
export function createPhaseRun(
  whole: Run,
  { parts, progress }: { parts: RunParts; progress: Progress },
  { info, before }: { info: RunInfo; before: number },
): PhaseRun {
  const resumedFrom = Math.max(0, whole.resumedFrom - before);
  return Object.assign(view(parts, progress, { info, resumedFrom }), { whole });
}

function view(parts: RunParts, progress: Progress, own: Pick<Run, 'info' | 'resumedFrom'>): Run {
  const { options, settings, data, plan, backend } = parts;
  return {
    ...own,
    directory: options.directory ?? null,
    config: options.config?.resolved ?? null,
    configHash: options.config?.hash ?? '',
    plan,
    subset: {
      seed: settings.subsetSeed,
      profile: settings.profile,
      hash: data.train.hash,
      skipped: data.skipped.length,
    },
    data: parts.seen,
    evaluated: { test: evaluatedOn(data.test), validation: data.validation && evaluatedOn(data.validation) },
    epochs: progress.epochs,
    get engine() {
      const { mode, reason, precision, precisionReason, device } = progress.fit.engine;
      const made = { mode, reason, precision, precisionReason, ...(device !== undefined && { device }) };
      return { backend: backend.name, tensorflow: backend.tensorflow, ...made };
    },
    get logits() {
      return { ...progress.logits, prior: logitPrior(progress.fit.composition.plugins) };
    },
    get weights() {
      return weightsOf(progress.fit);
    },
    get stopped() {
      return progress.stopReason;
    },
    get interrupted() {
      return options.signal?.aborted || progress.stopReason === askedUntil(options.until);
    },
    stop(reason) {
      progress.stopReason ??= reason;
    },
    write: (values) => writeState(progress, values),
    snapshot: () => snapshotOf(parts, progress),
    summary: () => summaryOf(parts, progress),
  };
}

const weightsOf = ({ model, start }: Fit): Run['weights'] =>
  model.weights.map(({ name, shape, kind }) => ({
    name,
    shape,
    trained: isTrained({ kind, name }, start.frozen),
  }));

/** Of the run, what was before a resume included. */
const secondsOf = ({ options, started }: RunParts): number =>
  (options.resume?.seconds ?? 0) + (performance.now() - started) / 1000;

/** What a run can be resumed from: the state as the engine has it now. */
function snapshotOf(parts: RunParts, { fit, epochs, rollbacks }: Progress): Snapshot {
  const { engine, program, model, composition } = fit;
  const last = epochs.at(-1);
  const state = mapValues(engine.read(), (values, name) => ({ shape: program.state[name]!.shape, values }));
  const backbone = parts.backboneOf(state);
  return {
    epoch: last?.epoch ?? 0,
    step: last?.step ?? 0,
    state,
    weights: model.weights.map(({ name }) => name),
    ...(backbone && { backbone }),
    plugins: mapValues({ ...composition.states, ...parts.spanning?.states }, (state) => state.save()),
    history: epochs.map(withoutConfusions),
    ...(rollbacks.length > 0 && { rollbacks: [...rollbacks] }),
    seconds: secondsOf(parts),
    configHash: parts.options.config?.hash ?? '',
    data: parts.seen,
    tailmix: version,
    computedBy: computedBy(parts.backend, engine),
  };
}

/** The summary as of now. */
function summaryOf(parts: RunParts, { fit, epochs, figures, rollbacks, failure, stopReason }: Progress): RunSummary {
  const { options, settings, data, seen, info, backend } = parts;
  const { engine } = fit;
  return {
    name: info.name,
    method: settings.method,
    seed: info.seed,
    subsetSeed: settings.subsetSeed,
    subsetHash: data.train.hash,
    images: { train: seen.train, validation: seen.validation, test: seen.test },
    ...(seen.otherData && { otherData: seen.otherData }),
    configHash: options.config?.hash ?? '',
    status: failure ? 'failed' : stopReason ? 'stopped' : 'finished',
    reason: failure ?? stopReason,
    dataset: info.dataset,
    classes: info.classes,
    classCounts: [...info.classCounts],
    groups: info.groups,
    epochs: info.epochs,
    ...(rollbacks.length > 0 && { rollbacks: [...rollbacks] }),
    ...summarizeEpochs(epochs),
    ...(figures && { figures }),
    backend: backend.name,
    stepMode: engine.mode,
    stepModeReason: engine.reason,
    precision: engine.precision,
    precisionReason: engine.precisionReason,
    ...(engine.device !== undefined && { device: engine.device }),
    parameters: countTuned(fit.model, fit.start.frozen),
    ...macsOfImage(fit),
    seconds: secondsOf(parts),
    tailmix: version,
    versions: { node: process.versions.node, ...(backend.tensorflow && { tensorflow: backend.tensorflow }) },
  };
}

/** Of the prediction as the run's engine recorded it; nothing where it did not. */
function macsOfImage({ engine, program }: Fit): Pick<RunSummary, 'macs'> {
  const predict = signatureFor(program, 'predict', {});
  const macs = engine.macs(predict);
  return macs === null ? {} : { macs: macs / predict.inputs.images!.shape[0]! };
}

const evaluatedOn = ({ hash, indices }: Subset) => ({ hash, count: indices.length });

/**
 * Puts a snapshot's weights, slots and plugin state back.
 *
 * @throws {TailmixError} SNAPSHOT_MISMATCH when it is of another model, optimizer or plugin list.
 */
export function restore(
  { state, plugins, tailmix }: Snapshot,
  composition: Pick<Composition, 'states'>,
  program: GraphProgram,
  engine: Pick<Engine, 'write'>,
): void {
  for (const [name, { shape }] of Object.entries(program.state)) {
    const saved = Object.hasOwn(state, name) ? state[name] : undefined;
    if (saved?.shape.join() !== shape.join()) throw snapshotMismatch(name, shape, saved?.shape, tailmix);
  }
  for (const name of Object.keys(state))
    if (!Object.hasOwn(program.state, name)) throw snapshotMismatch(name, undefined, state[name]!.shape, tailmix);
  engine.write(mapValues(state, ({ values }) => values));
  loadStates({ plugins }, composition);
}

/** Puts the state of plugins back. */
export function loadStates({ plugins }: Pick<Snapshot, 'plugins'>, { states }: Pick<Composition, 'states'>): void {
  for (const [name, state] of Object.entries(states))
    state.load(Object.hasOwn(plugins, name) ? plugins[name] : undefined);
}
