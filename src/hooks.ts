/**
 * The hook table. A run is this loop; every name in capitals is a hook below.
 *
 *   BUILD MODEL, BUILD LOSS, BUILD GRADIENTS, BUILD UPDATE, BUILD PREDICTION     once, before the first step is traced
 *   ON TRAIN BEGIN
 *   for epoch = 1 … epochs
 *     ON EPOCH BEGIN
 *     COMPUTE SAMPLING WEIGHTS → the epoch's index list;  COMPUTE AUGMENTATION;  COMPUTE CLASS WEIGHTS
 *     for each batch of the loader
 *       COMPUTE LEARNING RATE
 *       ON BATCH          pair, lambda, box, variants, declared inputs; lambda is frozen afterwards
 *       COMPUTE TARGETS   label weights; the pixels' lambda stays
 *       step(inputs)      normalise ▸ mix ▸ model ▸ per-term loss ▸ weights, reduction ▸ gradients ▸ update
 *       ON BATCH END
 *     evaluate            validation, then test;  COMPUTE FIGURES of each
 *     ON EPOCH END        (ON CHECKPOINT when one was written)
 *   ON TRAIN END, or ON ERROR
 *
 * Where the step is captured, ON BATCH and all COMPUTE … of a step or an epoch are rehearsed first: see {@link EpochContext.rehearsal}.
 *
 * A run of several phases is this loop for each, with hooks of its own; plugins that span the run are told of all.
 */
import { SyncHook, SyncWaterfallHook } from 'tapable';
import { buildHooks } from './build-hooks.ts';
import { messageOf } from './errors.ts';
import type { EpochMetrics, EvaluatedSplit, RunSummary } from './metrics/types.ts';
import type { CheckpointInfo, Run } from './run.ts';
import type { Batch, BatchResult, EpochContext, StepContext, Targets } from './step/types.ts';
import { observerHook } from './util/observers.ts';

/** The hooks that are called while a run is trained. */
function loopHooks() {
  return {
    /**
     * Once, before the first epoch and after a resume, when the data are open and the step is compiled. May be
     * asynchronous; the result is ignored. Not rehearsed.
     *
     * @example
     * ```ts
     * hooks.onTrainBegin.tap(name, ({ info }) => console.log(`${info.trainCount} images, ${info.epochs} epochs`));
     * ```
     */
    onTrainBegin: observerHook<[run: Run]>(['run']),

    /**
     * Before each epoch (counted from 1), its sampling weights and its class weights. May be asynchronous; the result
     * is ignored. Not rehearsed.
     *
     * @example
     * ```ts
     * hooks.onEpochBegin.tapPromise(name, async (epoch, run) => {
     *   await appendFile(`${run.directory}/epochs.txt`, `${epoch}\n`);
     * });
     * ```
     */
    onEpochBegin: observerHook<[epoch: number, run: Run]>(['epoch', 'run']),

    /**
     * After each epoch and its evaluation; `metrics.test` is null in an epoch without one. `run.stop(reason)` ends the
     * run here; `run.snapshot()` copies the whole state from the engine. May be asynchronous; the result is ignored.
     * Not rehearsed.
     *
     * @example
     * ```ts
     * hooks.onEpochEnd.tap(name, ({ test }, run) => {
     *   if (test !== null && test.balancedAccuracy > 0.9) run.stop('good enough');
     * });
     * ```
     */
    onEpochEnd: observerHook<[metrics: EpochMetrics, run: Run]>(['metrics', 'run']),

    /**
     * After a plugin has written a checkpoint; that plugin calls it, `hooks.onCheckpoint.promise(checkpoint, run)`. May
     * be asynchronous; the result is ignored. Not rehearsed.
     *
     * @example
     * ```ts
     * hooks.onCheckpoint.tapPromise(name, async ({ path, epoch }) => copyFile(path, `backup-${epoch}.safetensors`));
     * ```
     */
    onCheckpoint: observerHook<[checkpoint: CheckpointInfo, run: Run]>(['checkpoint', 'run']),

    /**
     * Once, after the last epoch, also when the run was stopped. Once a tap has failed, `summary.status` is `failed`
     * for the taps after it, and `onError` follows. May be asynchronous; the result is ignored. Not rehearsed.
     *
     * @example
     * ```ts
     * hooks.onTrainEnd.tap(name, ({ status, last }) => console.log(status, last?.balancedAccuracy));
     * ```
     */
    onTrainEnd: observerHook<[summary: RunSummary, run: Run]>(['summary', 'run'], (error, [summary]) => {
      Object.assign(summary, { status: 'failed', reason: messageOf(error) } satisfies Partial<RunSummary>);
    }),

    /**
     * Once, when the run fails: instead of `onTrainEnd`, or after one of its taps has failed; not where it fails before
     * its first `onTrainBegin`. Every tap is called, and none can replace the error. May be asynchronous; the result is ignored. Not rehearsed.
     *
     * @example
     * ```ts
     * hooks.onError.tap(name, ({ message }) => console.error(`failed: ${message}`));
     * ```
     */
    onError: observerHook<[error: Error, run: Run]>(['error', 'run']),

    /**
     * Each epoch: which images it has. Takes and returns the weight of one image of each class, `[C]`, finite and ≥ 0,
     * by which images are drawn with replacement; or null, the initial value, for every image once. The array may be
     * changed in place. Synchronous. **Rehearsed** with made-up weights and epochs.
     *
     * @example
     * ```ts
     * hooks.computeSamplingWeights.tap({ name, stage: Order.Sample }, (weights, { epoch }) =>
     *   epoch > 10 ? Float64Array.from(info.classCounts, (count) => 1 / count) : weights,
     * );
     * ```
     */
    computeSamplingWeights: new SyncWaterfallHook<[weights: Float64Array | null, ctx: EpochContext]>([
      'weights',
      'ctx',
    ]),

    /**
     * Each epoch: factor of the loss of each class's labels, `[C]`, finite and ≥ 0, initially 1. Returns the weights:
     * multiply rather than replace, so that several plugins combine. The array may be changed in place. Synchronous.
     * **Rehearsed** with made-up weights and epochs.
     *
     * @example
     * ```ts
     * hooks.computeClassWeights.tap(name, (weights, { epoch }) =>
     *   epoch > 10 ? weights.map((weight, c) => weight / info.classCounts[c]!) : weights,
     * );
     * ```
     */
    computeClassWeights: new SyncWaterfallHook<[weights: Float64Array, ctx: EpochContext]>(['weights', 'ctx']),

    /**
     * Each epoch: how strongly images of each class are augmented. Takes and returns `[C]` in 0…1, initially 1, what the
     * transforms of `data.augment` that have a strength are weakened to: rand-augment to ⌈s·N⌉ operations of s·M,
     * chances of auto-augment, color-jitter, pca-lighting and the side of cutout to s times theirs. It acts on trained rows
     * and on groups without an `augment` of their own. The array may be changed in place. Synchronous. **Rehearsed** with made-up epochs.
     *
     * @example
     * ```ts
     * hooks.computeAugmentation.tap(name, (strength, { epoch }) => strength.map(() => Math.min(1, epoch / 100)));
     * ```
     */
    computeAugmentation: new SyncWaterfallHook<[strength: Float32Array, ctx: EpochContext]>(['strength', 'ctx']),

    /**
     * Each step, before its batch. Takes the optimizer's learning rate, or what the tap before returned; returns a
     * finite number. Synchronous. **Rehearsed** with made-up rates, epochs and steps.
     *
     * @example
     * ```ts
     * hooks.computeLearningRate.tap(name, (rate, { step }) => rate * Math.min(1, step / 100));
     * ```
     */
    computeLearningRate: new SyncWaterfallHook<[learningRate: number, ctx: StepContext]>(['learningRate', 'ctx']),

    /**
     * Each step: how the loaded rows are mixed. Returns the batch with `pair` `[B]` int32, `lambda` `[B]` float32 in
     * 0…1, `box`, `variants` and `inputs` as the plugin wants them, and everything else unchanged. The arrays belong to
     * this step and may be changed in place. `lambda` is fixed afterwards. Synchronous. **Rehearsed** with made-up rows
     * and moments.
     *
     * @example
     * ```ts
     * hooks.onBatch.tap({ name, stage: Order.Mix }, (batch, { epoch, step }) => ({
     *   ...batch,
     *   pair: partners(batch, random(epoch, step)),
     *   lambda: batch.lambda.map(() => 0.7),
     * }));
     * ```
     */
    onBatch: new SyncWaterfallHook<[batch: Batch, ctx: StepContext]>(['batch', 'ctx']),

    /**
     * Each step, after all taps of `onBatch`: the weight of the labels. Returns the targets with `labelWeight` `[B]`
     * float32 in 0…1, the weight of a sample's own label; its partner's label gets the rest. It starts as a copy of
     * `lambda` and may be changed in place. Synchronous. **Rehearsed** with made-up labels and moments.
     *
     * @example
     * ```ts
     * hooks.computeTargets.tap({ name, stage: Order.Relabel }, (targets) => ({
     *   ...targets,
     *   labelWeight: targets.labelWeight.map((weight) => (weight < 0.5 ? 0 : 1)),
     * }));
     * ```
     */
    computeTargets: new SyncWaterfallHook<[targets: Targets, ctx: StepContext]>(['targets', 'ctx']),

    /**
     * Each evaluation of a split, validation before test: figures of the plugin's own, by name. `seen` has the logits
     * `[N, C]` and labels `[N]` of all its images, and what core has computed of them. Takes the figures of the taps
     * before, at first none; returns them with others added, each a finite number. They are part of
     * `metrics.jsonl`, of what trackers and reports show, and what `early-stopping` and `checkpoint` may judge by.
     * `tailmix evaluate` calls it too. Synchronous. Not rehearsed.
     *
     * @example
     * ```ts
     * hooks.computeFigures.tap(name, (figures, { evaluation }) => {
     *   const accuracies = evaluation.perClass.filter((accuracy) => accuracy !== null);
     *   return { ...figures, 'best-class': Math.max(...accuracies) };
     * });
     * ```
     */
    computeFigures: new SyncWaterfallHook<[figures: Record<string, number>, seen: EvaluatedSplit]>(['figures', 'seen']),

    /**
     * After each training step. Synchronous: a slow tap slows every step. The result is ignored. Not rehearsed.
     *
     * @example
     * ```ts
     * hooks.onBatchEnd.tap(name, ({ step, loss }) => {
     *   if (step % 100 === 0) console.log(step, loss);
     * });
     * ```
     */
    onBatchEnd: new SyncHook<[result: BatchResult]>(['result']),
  };
}

export type Hooks = Readonly<ReturnType<typeof loopHooks> & ReturnType<typeof buildHooks>>;
export type HookName = keyof Hooks;

/**
 * A fresh set of hooks, one per run, or per phase where a run has several.
 *
 * **Rehearsed**: before a step is captured, the hook is also called with made-up arguments and `ctx.rehearsal: true`,
 * to find host values that a recorded step would freeze. `rehearsal` may guard side effects, never values.
 */
export const createHooks = (): Hooks => Object.freeze({ ...loopHooks(), ...buildHooks() });

/** Hooks that wait for their taps; all others are synchronous. */
export const isAsync = (hook: HookName): boolean => hook.startsWith('on') && !hook.startsWith('onBatch');
