import process from 'node:process';
import type { Backend } from '../backend/load.ts';
import type { Composition } from '../compose/types.ts';
import type { Subset } from '../data/types.ts';
import { messageOf } from '../errors.ts';
import type { GraphProgram } from '../graph/index.ts';
import { summarizeEpochs, withoutConfusion } from '../metrics/summary.ts';
import type { EpochMetrics } from '../metrics/types.ts';
import type { Run, RunInfo, Snapshot } from '../run.ts';
import type { Engine } from '../step/types.ts';
import { mapValues } from '../util/map-values.ts';
import { version } from '../version.ts';
import { snapshotMismatch } from './errors.ts';
import type { Fit } from './fit.ts';
import type { Preparation } from './prepare.ts';

/** A run as the loop sees it: what observers see, and what only the loop may change. */
export interface OpenRun extends Run {
  /** Metrics so far, those of before a resume first. */
  readonly epochs: EpochMetrics[];
  readonly stopReason: string | null;
  /** True from an epoch's first step until its end: the state is then no epoch's, and no run could be resumed from it. */
  midEpoch: boolean;
  /** Marks the run as failed. */
  fail(error: unknown): void;
  /** Goes on to a phase: what is read from now on is its. */
  enter(fit: Fit): void;
}

/** A run of one phase or several; `enter` the first before anything is asked of it. */
export function createRun(
  { options, settings, data }: Pick<Preparation, 'options' | 'settings' | 'data'>,
  { info, plan, backend, spanning }: { info: RunInfo; plan: string; backend: Backend; spanning: Composition | null },
): OpenRun {
  const { resume } = options;
  let fit: Fit;
  const started = performance.now();
  const seconds = (): number => (resume?.seconds ?? 0) + (performance.now() - started) / 1000;
  const epochs: EpochMetrics[] = [...(resume?.history ?? [])];
  let stopReason: string | null = null;
  let failure: string | null = null;
  const configHash = options.config?.hash ?? '';
  return {
    info,
    directory: options.directory ?? null,
    config: options.config?.resolved ?? null,
    configHash,
    plan,
    resumedFrom: resume?.epoch ?? 0,
    get engine() {
      const { mode, reason, precision, precisionReason } = fit.engine;
      return { backend: backend.name, tensorflow: backend.tensorflow, mode, reason, precision, precisionReason };
    },
    subset: {
      seed: settings.subsetSeed,
      profile: settings.profile,
      hash: data.train.hash,
      skipped: data.skipped.length,
    },
    evaluated: { test: evaluatedOn(data.test), validation: data.validation && evaluatedOn(data.validation) },
    get weights() {
      const { model, start } = fit;
      return model.weights.map(({ name, shape, kind }) => ({
        name,
        shape,
        trained: kind !== 'statistic' && !start.frozen.has(name),
      }));
    },
    get interrupted() {
      return options.signal?.aborted ?? false;
    },
    epochs,
    midEpoch: false,
    get stopReason() {
      return stopReason;
    },
    stop(reason) {
      stopReason ??= reason;
    },
    fail(error) {
      failure = messageOf(error);
    },
    enter(next) {
      fit = next;
    },
    snapshot() {
      const { engine, program, model, composition } = fit;
      const last = epochs.at(-1);
      return {
        epoch: last?.epoch ?? 0,
        step: last?.step ?? 0,
        state: mapValues(engine.read(), (values, name) => ({ shape: program.state[name]!.shape, values })),
        weights: model.weights.map(({ name }) => name),
        plugins: mapValues({ ...composition.states, ...spanning?.states }, (state) => state.save()),
        history: epochs.map((metrics) => ({ ...metrics, test: metrics.test && withoutConfusion(metrics.test) })),
        seconds: seconds(),
        configHash,
      };
    },
    summary() {
      const { engine } = fit;
      return {
        name: info.name,
        method: settings.method,
        seed: info.seed,
        subsetSeed: settings.subsetSeed,
        subsetHash: data.train.hash,
        configHash,
        status: failure ? 'failed' : stopReason ? 'stopped' : 'finished',
        reason: failure ?? stopReason,
        dataset: info.dataset,
        classes: info.classes,
        classCounts: [...info.classCounts],
        groups: info.groups,
        epochs: info.epochs,
        ...summarizeEpochs(epochs),
        backend: backend.name,
        stepMode: engine.mode,
        stepModeReason: engine.reason,
        precision: engine.precision,
        precisionReason: engine.precisionReason,
        seconds: seconds(),
        tailmix: version,
        versions: { node: process.versions.node, ...(backend.tensorflow && { tensorflow: backend.tensorflow }) },
      };
    },
  };
}

/** A run as the plugins of a phase see it: epochs count from the phase's beginning. */
export const runInPhase = (run: OpenRun, info: RunInfo, before: number): Run =>
  Object.create(run, {
    info: { value: info, enumerable: true },
    resumedFrom: { value: Math.max(0, run.resumedFrom - before), enumerable: true },
  }) as Run;

const evaluatedOn = ({ hash, indices }: Subset) => ({ hash, count: indices.length });

/**
 * Puts a snapshot's weights, slots and plugin state back.
 *
 * @throws {TailmixError} SNAPSHOT_MISMATCH when it is of another model, optimizer or plugin list.
 */
export function restore(
  { state, plugins }: Snapshot,
  composition: Pick<Composition, 'states'>,
  program: GraphProgram,
  engine: Pick<Engine, 'write'>,
): void {
  for (const [name, { shape }] of Object.entries(program.state)) {
    const saved = state[name];
    if (saved?.shape.join() !== shape.join()) throw snapshotMismatch(name, shape, saved?.shape);
  }
  for (const name of Object.keys(state))
    if (!program.state[name]) throw snapshotMismatch(name, undefined, state[name]!.shape);
  engine.write(mapValues(state, ({ values }) => values));
  loadStates({ plugins }, composition);
}

/** Puts the state of plugins back. */
export function loadStates({ plugins }: Pick<Snapshot, 'plugins'>, { states }: Pick<Composition, 'states'>): void {
  for (const [name, state] of Object.entries(states)) state.load(plugins[name]);
}
