/**
 * The hook table. A run is this loop; every name in capitals is a hook below.
 *
 *   BUILD MODEL, BUILD LOSS, BUILD GRADIENTS, BUILD UPDATE, BUILD PREDICTION     once, before the first step is traced
 *   ON TRAIN BEGIN
 *   for epoch = 1 … epochs
 *     ON EPOCH BEGIN
 *     COMPUTE SAMPLING WEIGHTS → the epoch's index list;  COMPUTE CLASS WEIGHTS
 *     for each batch of the loader
 *       COMPUTE LEARNING RATE
 *       ON BATCH          pair, lambda, box, variants, declared inputs; lambda is frozen afterwards
 *       COMPUTE TARGETS   label weights; the pixels' lambda stays
 *       step(inputs)      normalise ▸ mix ▸ model ▸ per-term loss ▸ weights, reduction ▸ gradients ▸ update
 *       ON BATCH END
 *     evaluate
 *     ON EPOCH END        (ON CHECKPOINT when one was written)
 *   ON TRAIN END, or ON ERROR
 *
 * Where the step is captured, ON BATCH and all COMPUTE … are rehearsed first: see {@link EpochContext.rehearsal}.
 *
 * A run of several phases is this loop for each, with hooks of its own; plugins that span the run are told of all.
 */
import { SyncHook, SyncWaterfallHook } from 'tapable';
import { observerHook } from './compose/observers.ts';
import { messageOf } from './errors.ts';
import type { HostArray } from './graph/index.ts';
import type { EpochMetrics, RunSummary } from './metrics/types.ts';
import type { Forward } from './models/types.ts';
import type { Run } from './run.ts';
import type { Gradients, Loss, Predict, Update } from './step/types.ts';

/**
 * Rank of a tap among the taps of its hook, given to tapable as `stage`: `hooks.onBatch.tap({ name, stage: Order.Mix }, …)`.
 * Lower ranks run first; within one rank the order of the config decides. A plain `tap(name, …)` has rank 0.
 */
export const Order = {
  /** Decides which rows are drawn. */
  Sample: -200,
  /** Fills pair, lambda and box. */
  Mix: -100,
  /** Rewrites label weights. */
  Relabel: 0,
  /** Softens labels after everything else has changed them. */
  Smooth: 100,
  /** Limits gradients: the innermost wrap of the update, so it is the last to see them before the optimizer. */
  ClipGradients: 100,
  /** Averages weights after the optimizer has updated them. */
  Average: 200,
  /** Collects the gradients of several steps; wraps clipping, optimizer and averaging, which then run once per update. */
  Accumulate: 300,
  /** Observes and changes nothing. */
  Observe: 1000,
  /** Saves what observers have written so far. */
  Checkpoint: 1100,
  /** Sends records elsewhere, after files and checkpoints are written. */
  Publish: 1200,
} as const;

/** CutMix's patch in pixels, half-open: rows `top…bottom−1`, columns `left…right−1` come from the partner. */
export interface Box {
  top: number;
  bottom: number;
  left: number;
  right: number;
}

/** Rows loaded for a step and how they are mixed. Rows `0…size−1` are trained; extra draws follow them. */
export interface Batch {
  /** B, rows that are trained. */
  readonly size: number;
  /** Rows loaded: B plus every extra draw. */
  readonly poolSize: number;
  /** `[pool]`, rows of the training split. */
  readonly indices: Int32Array;
  /** `[pool]`, class of each row. */
  readonly labels: Int32Array;
  /** First row and number of rows of each extra draw, by plugin name. */
  readonly draws: Readonly<Record<string, { start: number; size: number }>>;
  /** `[B]`, the partner's row in the pool. Default: each row itself. */
  pair: Int32Array;
  /** `[B]`, weight of sample i (never of its partner, never folded) in pixels or features. Default 1. */
  lambda: Float32Array;
  /** With the variant `mix: 'input:box'`, the patch that comes from the partner; null pastes nothing. */
  box: Box | null;
  /** The step's variants; those not set are the first that was declared. */
  variants: Record<string, string>;
  /** Declared inputs, filled as `<plugin>/<input>`. */
  inputs: Record<string, HostArray>;
}

/** Labels and what each weighs. A label rule rewrites `labelWeight` and nothing else. */
export interface Targets {
  /** `[B]`. */
  readonly labels: Int32Array;
  /** `[B]`, labels of the partners. */
  readonly pairLabels: Int32Array;
  /** `[B]`, weight of `labels[i]`; the partner's label weighs `1 − labelWeight[i]`. Starts as a copy of lambda. */
  labelWeight: Float32Array;
}

/** Which epoch it is. */
export interface EpochContext {
  /** Counts from 1. */
  readonly epoch: number;
  /**
   * True in a rehearsal: the hook is called with a made-up batch, epoch and step, so that values which a `build…`
   * function must not depend on are found. It may guard side effects (a counter, a queue, a log) and never values.
   */
  readonly rehearsal: boolean;
}

/** Where in the run a step stands. */
export interface StepContext extends EpochContext {
  /** Counts from 1 over the whole run. */
  readonly step: number;
  /** Counts from 1 in the epoch. */
  readonly stepInEpoch: number;
}

/** What a training step came to. */
export interface BatchResult extends Omit<StepContext, 'rehearsal'> {
  readonly batch: Readonly<Batch>;
  readonly targets: Readonly<Targets>;
  readonly learningRate: number;
  /** Reduced loss without penalties. */
  readonly loss: number;
  /** By plugin name. */
  readonly penalties: Readonly<Record<string, number>>;
  /** `[B]`, predicted class of each mixed sample. */
  readonly predictions: Int32Array;
}

/** A checkpoint that was written. */
export interface CheckpointInfo {
  path: string;
  epoch: number;
  step: number;
}

/** A fresh set of hooks, one per run. */
export function createHooks() {
  return Object.freeze({
    onTrainBegin: observerHook<[run: Run]>(['run']),
    onEpochBegin: observerHook<[epoch: number, run: Run]>(['epoch', 'run']),
    onEpochEnd: observerHook<[metrics: EpochMetrics, run: Run]>(['metrics', 'run']),
    onCheckpoint: observerHook<[checkpoint: CheckpointInfo, run: Run]>(['checkpoint', 'run']),
    onTrainEnd: observerHook<[summary: RunSummary, run: Run]>(['summary', 'run'], (error, [summary]) => {
      Object.assign(summary, { status: 'failed', reason: messageOf(error) } satisfies Partial<RunSummary>);
    }),
    onError: observerHook<[error: Error, run: Run]>(['error', 'run']),

    /** Per epoch. Weight of one image of each class, `[C]` (drawn with replacement), or null: a shuffled permutation. */
    computeSamplingWeights: new SyncWaterfallHook<[weights: Float64Array | null, ctx: EpochContext]>([
      'weights',
      'ctx',
    ]),
    /** Per epoch. `[C]`, all 1 at first. */
    computeClassWeights: new SyncWaterfallHook<[weights: Float64Array, ctx: EpochContext]>(['weights', 'ctx']),
    /** Per step. Starts as the optimizer's learning rate. */
    computeLearningRate: new SyncWaterfallHook<[learningRate: number, ctx: StepContext]>(['learningRate', 'ctx']),
    onBatch: new SyncWaterfallHook<[batch: Batch, ctx: StepContext]>(['batch', 'ctx']),
    computeTargets: new SyncWaterfallHook<[targets: Targets, ctx: StepContext]>(['targets', 'ctx']),
    onBatchEnd: new SyncHook<[result: BatchResult]>(['result']),

    buildModel: new SyncWaterfallHook<[forward: Forward]>(['forward']),
    buildLoss: new SyncWaterfallHook<[loss: Loss]>(['loss']),
    buildGradients: new SyncWaterfallHook<[gradients: Gradients]>(['gradients']),
    buildUpdate: new SyncWaterfallHook<[update: Update]>(['update']),
    buildPrediction: new SyncWaterfallHook<[predict: Predict]>(['predict']),
  });
}

export type Hooks = ReturnType<typeof createHooks>;
export type HookName = keyof Hooks;

/** Hooks that wait for their taps; all others are synchronous. */
export const isAsync = (hook: HookName): boolean => hook.startsWith('on') && !hook.startsWith('onBatch');
