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
import { messageOf } from './errors.ts';
import type { EpochMetrics, EvaluatedSplit, RunSummary } from './metrics/types.ts';
import type { Forward } from './models/types.ts';
import type { CheckpointInfo, Run } from './run.ts';
import type {
  Batch,
  BatchResult,
  EpochContext,
  GradientParts,
  Gradients,
  Loss,
  Predict,
  StepContext,
  Targets,
  Update,
} from './step/types.ts';
import { observerHook } from './util/observers.ts';

/**
 * A fresh set of hooks, one per run, or per phase where a run has several.
 *
 * **Rehearsed**: before a step is captured, the hook is also called with made-up arguments and `ctx.rehearsal: true`,
 * to find host values that a recorded step would freeze. `rehearsal` may guard side effects, never values.
 *
 * **Traced**: the function that a `build…` tap returns runs in every eager step, but in a captured run only while the
 * step is recorded (twice per signature) and checked. It must not close over anything that varies; what varies comes in
 * `pass.inputs`.
 */
export function createHooks() {
  return Object.freeze({
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
     * color-jitter, pca-lighting and the side of cutout to s times theirs. It acts on trained rows and on groups without
     * an `augment` of their own. The array may be changed in place. Synchronous. **Rehearsed** with made-up epochs.
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

    /**
     * Once, before the first step. Wraps the forward pass,
     * `(weights, images, pass) → { logits, features, statistics }`: images `[rows, height, width, channels]` float32,
     * logits `[B, C]`, features `[B, D]`, statistics by name. Training and prediction both call it (`pass.training`).
     * Returns a function of the same form. Synchronous; {@link createHooks traced}.
     *
     * @example
     * ```ts
     * hooks.buildModel.tap(name, (forward) => (weights, images, pass) => {
     *   const outputs = forward(weights, images, pass);
     *   return { ...outputs, logits: outputs.logits.mul(0.5) };
     * });
     * ```
     */
    buildModel: new SyncWaterfallHook<[forward: Forward]>(['forward']),

    /**
     * Once, before the first step. Wraps the loss. `adjustLogits` takes logits `[B, C]` and labels `[B]` int32 and
     * returns logits `[B, C]`; `termLoss` takes the same and returns the loss of each sample, `[B]`; `scored` are the logits
     * that both are called with; `terms` further losses of each sample, weighted like it; `penalties` scalars by plugin
     * name, added to the reduced loss; `figures` scalars that are logged alone; `perSample` arrays that go to `onBatchEnd`.
     * Returns a loss of the same form. Synchronous; {@link createHooks traced}.
     *
     * @example
     * ```ts
     * hooks.buildLoss.tap(name, (loss) => ({
     *   ...loss,
     *   penalties: { ...loss.penalties, [name]: ({ features }) => features.square().mean() },
     * }));
     * ```
     */
    buildLoss: new SyncWaterfallHook<[loss: Loss]>(['loss']),

    /**
     * Once, before the first step. Wraps a backward pass, `(weights, pass) → { loss, penalties, outputs, gradients }`:
     * a scalar loss, and a gradient for each trained weight, by its name and in its shape. May call the inner one
     * twice. `parts` are what core's own is made of: forward pass, loss, losses of the rows before they are reduced, and
     * `differentiate` for a function of the plugin's. Returns a function of the same form. Synchronous;
     * {@link createHooks traced}.
     *
     * @example
     * ```ts
     * // Rows count the less, the higher their loss is.
     * hooks.buildGradients.tap(name, (_, { evaluate, rowLosses, differentiate }) => (weights, pass) =>
     *   differentiate(weights, (all) => {
     *     const evaluated = evaluate(all, pass);
     *     const rows = rowLosses(evaluated.outputs, pass);
     *     const loss = rows.mul(stopGradient(rows.neg().exp())).sum().div(pass.inputs.normalizer!);
     *     return { ...evaluated, loss };
     *   }),
     * );
     * ```
     */
    buildGradients: new SyncWaterfallHook<[gradients: Gradients, parts: GradientParts]>(['gradients', 'parts']),

    /**
     * Once, before the first step. Wraps the optimizer. `slots` declares the arrays that it carries from step to step;
     * `apply` takes weights, slots and gradients by name, all float32, and returns those weights and slots that
     * changed. The learning rate is the scalar `pass.inputs.learningRate`. Returns an update of the same form.
     * Synchronous; {@link createHooks traced}.
     *
     * @example
     * ```ts
     * hooks.buildUpdate.tap({ name, stage: Order.ClipGradients }, (update) => ({
     *   ...update,
     *   apply: (weights, slots, gradients, pass) => {
     *     const clipped = Object.entries(gradients).map(([weight, gradient]) => [weight, gradient.clipByValue(-1, 1)]);
     *     return update.apply(weights, slots, Object.fromEntries(clipped), pass);
     *   },
     * }));
     * ```
     */
    buildUpdate: new SyncWaterfallHook<[update: Update]>(['update']),

    /**
     * Once, before the first step. Wraps prediction, `(weights, slots, images, pass) → logits`: images
     * `[B, height, width, channels]` float32, logits `[B, C]`. `slots` is what the update carries, for example an
     * average of the weights. Returns a function of the same form. Synchronous; {@link createHooks traced}.
     *
     * @example
     * ```ts
     * hooks.buildPrediction.tap(name, (predict) => (...given) => predict(...given).mul(2));
     * ```
     */
    buildPrediction: new SyncWaterfallHook<[predict: Predict]>(['predict']),
  });
}

export type Hooks = ReturnType<typeof createHooks>;
export type HookName = keyof Hooks;

/** Hooks that wait for their taps; all others are synchronous. */
export const isAsync = (hook: HookName): boolean => hook.startsWith('on') && !hook.startsWith('onBatch');
