import { SyncWaterfallHook } from 'tapable';
import type { Forward } from './models/types.ts';
import type { GradientParts, Gradients, Loss, MixMask, Predict, Update } from './step/types.ts';

/**
 * The hooks that build the step.
 *
 * **Traced**: the function that a `build…` tap returns runs in every eager step, but in a captured run only while the
 * step is recorded (twice per signature) and checked. It must not close over anything that varies; what varies comes in
 * `pass.inputs`.
 */
export function buildHooks() {
  return {
    /**
     * Once, before the first step. Wraps the forward pass,
     * `(weights, images, pass) → { logits, features, statistics }`: images `[rows, height, width, channels]` float32,
     * logits `[B, C]`, features `[B, D]`, statistics by name. Training and prediction both call it (`pass.training`).
     * Returns a function of the same form. Synchronous; {@link buildHooks traced}.
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
     * Returns a loss of the same form. Synchronous; {@link buildHooks traced}.
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
     * Once, before the first step. Makes the masks that a batch with the variant `mix: 'input:mask'` is mixed by,
     * `(weights, pass) → masks`: `[B, height, width, 1]` float32, what each pixel has of row i in 0…1; the rest is of its
     * partner, `pair[i]`. Their means are what `onBatch` gave as `lambda`, by which labels are weighed. `parts` has the forward
     * pass and the loss as plugins made them. What comes out is taken as given: nothing is differentiated through it, and a
     * step has one, whatever a tap of `buildGradients` calls twice. Returns a function of the same form. Synchronous;
     * {@link buildHooks traced}.
     *
     * @example
     * ```ts
     * // Masks that the host draws, as a declared input: inputs: () => ({ mask: { shape: ['batch', 32, 32, 1], dtype: 'float32' } }).
     * hooks.buildMask.tap(name, () => (_, { inputs }) => inputs[`${name}/mask`]!);
     * ```
     */
    buildMask: new SyncWaterfallHook<[mask: MixMask, parts: Pick<GradientParts, 'forward' | 'loss'>]>([
      'mask',
      'parts',
    ]),

    /**
     * Once, before the first step. Wraps a backward pass, `(weights, pass) → { loss, penalties, outputs, gradients }`:
     * a scalar loss, and a gradient for each trained weight, by its name and in its shape. May call the inner one
     * twice. `parts` are what core's own is made of: forward pass, loss, losses of the rows before they are reduced, and
     * `differentiate` for a function of the plugin's. Returns a function of the same form. Synchronous;
     * {@link buildHooks traced}.
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
     * Synchronous; {@link buildHooks traced}.
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
     * average of the weights. Returns a function of the same form. Synchronous; {@link buildHooks traced}.
     *
     * @example
     * ```ts
     * hooks.buildPrediction.tap(name, (predict) => (...given) => predict(...given).mul(2));
     * ```
     */
    buildPrediction: new SyncWaterfallHook<[predict: Predict]>(['predict']),
  };
}
