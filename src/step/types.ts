import type { HostArray, HostOutputs, InputDtype, Signature } from '../graph/index.ts';
import type { Forward, ModelOutputs, Pass, WeightSpec } from '../models/types.ts';
import type { NamedTensors, tf } from '../tf.ts';

/** Shape and type of a step input. `uint8` reaches the graph as float32 in 0…255. */
export interface InputSpec {
  /** Fixed but for `'batch'` (the trained rows) and `'pool'` (the loaded rows). */
  shape: readonly (number | 'batch' | 'pool')[];
  dtype: InputDtype;
}

/** Logits that the loss scores, and what their rows weigh in it. */
export interface Scored {
  /** `[batch, C]`. */
  logits: tf.Tensor;
  /** Factor of their share of the loss. Default 1. */
  factor?: number;
  /**
   * `[batch]`, what the loss of each row's own label weighs. Default: `pass.inputs.weight`, label weight × class weight, and
   * `pass.inputs.pairWeight` for the partner's. Where it is given without `pairWeight`, the partners' labels are not scored:
   * rows that are not mixed.
   */
  weight?: tf.Tensor;
  /** `[batch]`, of the label of each row's partner. */
  pairWeight?: tf.Tensor;
}

/**
 * The loss in its fixed order: `scored`, `adjustLogits`, `termLoss`, label and class weights, `terms`, reduction, penalties.
 * The second, third and fifth are called once for the labels and, when something mixes, once for the partners' labels.
 */
export interface Loss {
  /** `[batch, C]`, labels `[batch]` int32 → `[batch, C]`. Default: the logits as they are. */
  adjustLogits(logits: tf.Tensor, labels: tf.Tensor, pass: Pass): tf.Tensor;
  /** Unreduced: `[batch, C]`, labels `[batch]` int32 → `[batch]`. Default: softmax cross-entropy. */
  termLoss(logits: tf.Tensor, labels: tf.Tensor, pass: Pass): tf.Tensor;
  /**
   * What is scored, by name; label rules, class weights, margins and smoothing act on each. Default: `logits`, those of the
   * model. A plugin adds its own as `<plugin>/<name>`, from `outputs.extras`, and may leave `logits` out, and score nothing where it has `terms`.
   */
  scored: Readonly<Record<string, (outputs: ModelOutputs, pass: Pass) => Scored>>;
  /**
   * Further losses of each row, by plugin name: labels `[batch]` int32 → `[batch]`, weighted by labels and classes like
   * the loss and part of it. The share of each is logged as a figure.
   */
  terms: Readonly<Record<string, (outputs: ModelOutputs, labels: tf.Tensor, pass: Pass) => tf.Tensor>>;
  /** Scalars added to the reduced loss, by plugin name; each is logged under that name. */
  penalties: Readonly<Record<string, OfOutputs>>;
  /** Scalars that are logged and not minimised, as `<plugin>` or `<plugin>/<name>`: means over the epoch, `train.figures`. */
  figures: Readonly<Record<string, OfOutputs>>;
  /**
   * Arrays with a row for each of the batch, float32 `[batch, …]`, as `<plugin>/<name>`: the host gets them after the step,
   * `BatchResult.outputs`.
   */
  perSample: Readonly<Record<string, OfOutputs>>;
}

/** A tensor made of what a forward pass gave. */
export type OfOutputs = (outputs: ModelOutputs, weights: NamedTensors, pass: Pass) => tf.Tensor;

/** What a forward pass and its loss give. */
export interface Evaluated {
  /** Reduced loss without penalties. */
  loss: tf.Tensor;
  /** Scalars by plugin name. */
  penalties: NamedTensors;
  /** Scalars that are logged and not minimised, as `<plugin>` or `<plugin>/<name>`. */
  figures: NamedTensors;
  /** `[batch, …]`, as `<plugin>/<name>`: what the host gets of each row. */
  perSample: NamedTensors;
  outputs: ModelOutputs;
}

/** What one backward pass gives. */
export interface Backward extends Evaluated {
  /** By weight name, for every weight that is trained. */
  gradients: NamedTensors;
}

/** Masks to mix a batch by, `[batch, height, width, 1]`: what each pixel has of the row itself, in 0…1. */
export type MixMask = (weights: NamedTensors, pass: Pass) => tf.Tensor;

/** Loss and gradients at the given weights; SAM calls its inner one twice. */
export type Gradients = (weights: NamedTensors, pass: Pass) => Backward;

/** What gradients are made of: for a plugin that differentiates something else than the loss, or otherwise. */
export interface GradientParts {
  /** The forward pass, with what plugins wrapped around it. */
  forward: Forward;
  /** The loss as plugins made it. */
  loss: Loss;
  /** `[batch]`, weighted by labels and classes: their sum over `pass.inputs.normalizer` is the loss, without penalties. */
  rowLosses(outputs: ModelOutputs, pass: Pass): tf.Tensor;
  /** Forward pass on `pass.inputs.images`, loss, penalties and figures, at any weights. */
  evaluate(weights: NamedTensors, pass: Pass): Evaluated;
  /** Gradients of loss plus penalties of what a function gives, for all weights that are trained. */
  differentiate(weights: NamedTensors, evaluate: (weights: NamedTensors) => Evaluated): Backward;
}

/** An array that the update carries from step to step: momentum, an average. */
export interface SlotSpec {
  /** Unique, for example `momentum/stage1/block2/conv1/kernel`. */
  name: string;
  shape: readonly number[];
  /** Initial values, given those of the weights by name. */
  initial(weights: Readonly<Record<string, Float32Array>>): Float32Array;
}

/** The optimizer as a pure function. The learning rate is `pass.inputs.learningRate`, a scalar. */
export interface Update {
  /** `trained`: the weights that get a gradient; `all`: those of the model, statistics and frozen ones too. */
  slots(trained: readonly WeightSpec[], all: readonly WeightSpec[]): readonly SlotSpec[];
  /**
   * `weights` holds statistics too, already carried forward; `gradients` only what is trained.
   * Returns every weight and slot that changed.
   */
  apply(
    weights: NamedTensors,
    slots: NamedTensors,
    gradients: NamedTensors,
    pass: Pass,
  ): { weights: NamedTensors; slots: NamedTensors };
}

/** Logits for evaluation, `[batch, C]`. `slots` lets an average (EMA) stand in for the weights. */
export type Predict = (weights: NamedTensors, slots: NamedTensors, images: tf.Tensor, pass: Pass) => tf.Tensor;

/** What the `build…` hooks made of a model: the training step and the prediction, before anything is traced. */
export interface StepDefinition {
  forward: Forward;
  loss: Loss;
  mask: MixMask;
  gradients: Gradients;
  update: Update;
  /**
   * Logits, and extras of the pass that they are of, by name.
   *
   * @throws {TailmixError} STEP_EXTRAS where extras are asked for and the logits are not those of one pass of the model.
   */
  predict(extras: readonly string[], ...given: Parameters<Predict>): { logits: tf.Tensor; extras: NamedTensors };
}

/** Runs a program: eager or captured, and nobody outside `step/` can tell which. */
export interface Engine {
  readonly mode: 'eager' | 'captured';
  /** Why this mode; null when it was asked for. */
  readonly reason: string | null;
  /** What convolutions, norms and activations are computed in. */
  readonly precision: 'fp32' | 'bf16';
  /** Why this precision; null when it was asked for. */
  readonly precisionReason: string | null;
  /** The device that computes, as `cuda, NVIDIA H200`; absent where TensorFlow does. */
  readonly device?: string;
  /** Milliseconds spent before the first step on tracing and compiling; 0 when eager. */
  readonly compileMs: number;
  /** Multiply–accumulates of a call, as it was recorded; null where it was not. */
  macs(signature: Signature): number | null;
  /** Calls a function; its new state replaces the old. */
  run(signature: Signature, inputs: Readonly<Record<string, HostArray>>): HostOutputs;
  /**
   * As `run`, but returns before the outputs are computed: what it returns waits for them, and is called once. Absent where the
   * host itself computes.
   */
  start?(signature: Signature, inputs: Readonly<Record<string, HostArray>>): () => HostOutputs;
  /** Copies state out, all of it or the named part. */
  read(names?: readonly string[]): Record<string, Float32Array>;
  /** Replaces state by name; shapes must agree. */
  write(values: Readonly<Record<string, Float32Array>>): void;
  /**
   * Records every signature once more, and compares it with what is replayed. An eager engine has nothing to compare.
   *
   * @throws {CaptureError} CAPTURE_VARIES when a host value that the step uses has changed since it was recorded.
   */
  verify(): void;
  dispose(): void;
}

/** CutMix's patch in pixels, half-open: rows `top…bottom−1`, columns `left…right−1` come from the partner. */
export interface Box {
  top: number;
  bottom: number;
  left: number;
  right: number;
}

/** First row and number of rows of each group of rows that plugins declare, by `<plugin>/<group>`. */
export type RowRanges = Readonly<Record<string, { start: number; size: number }>>;

/** Rows loaded for a step and how they are mixed. Rows `0…size−1` are trained; the groups that plugins declare follow. */
export interface Batch {
  /** B, rows that are trained. */
  readonly size: number;
  /**
   * R, by which B can be divided: row i is of replica ⌊i·R/B⌋, which mixes its own rows, and those of groups, alone. With
   * `train.pairs: global` it is 1.
   */
  readonly replicas: number;
  /** Rows loaded: B, and B of each group. */
  readonly poolSize: number;
  /** `[pool]`, rows of the training split; of a group from `validation`, of that one. */
  readonly indices: Int32Array;
  /** `[pool]`, class of each row. */
  readonly labels: Int32Array;
  /** Where the rows of each group are: row `start + i` of a view is image i of the batch. */
  readonly groups: RowRanges;
  /** `[B]`, the partner's row in the pool. Default: each row itself. */
  pair: Int32Array;
  /**
   * `[B]`, weight of sample i (never of its partner, never folded) in pixels or features; with a box or a mask, the share of
   * its pixels. Default 1.
   */
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
  /** What plugins log and do not minimise, as `<plugin>` or `<plugin>/<name>`. */
  readonly figures: Readonly<Record<string, number>>;
  /** What plugins ask of each row, as `<plugin>/<name>`: `[B, …]`, row after row. */
  readonly outputs: Readonly<Record<string, HostArray>>;
  /** `[B]`, predicted class of each mixed sample. */
  readonly predictions: Int32Array;
}
