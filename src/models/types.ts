import type { Random } from '../random.ts';
import type { NamedTensors, tf } from '../tf.ts';

/** What a model is made for. */
export interface Task {
  /** Number of classes, C. */
  classes: number;
  /** `[height, width, channels]`. */
  imageShape: readonly [number, number, number];
}

/** A task with the statistics that its images are normalised by, per channel, of pixel values scaled to 0…1. */
export interface ImageTask extends Task {
  mean: readonly number[];
  std: readonly number[];
}

/** What a `build…` function sees beside its tensors. Nothing else may vary between the steps of one signature. */
export interface Pass {
  /** True in the training step, false in prediction: chooses batch statistics or running ones. */
  training: boolean;
  /** The step's inputs: core ones and those that plugins declared (`<plugin>/<input>`). */
  inputs: NamedTensors;
  /** First row among the images, and number of rows, of each group by `<plugin>/<group>`; in training. */
  groups?: Readonly<Record<string, { start: number; size: number }>>;
  /** The signature's variants, for example `{ mix: 'stage1' }`. */
  variants: Readonly<Record<string, string>>;
  /** Called by the model at each named stage with the features there; returns the features to go on with. */
  atStage(stage: string, features: tf.Tensor): tf.Tensor;
  /** Runs a part of the model at its seam, wrapped by plugins; see {@link atSeam}. Default: the part as it is. */
  at?(seam: string, x: tf.Tensor, part: (x: tf.Tensor) => tf.Tensor): tf.Tensor;
  /**
   * Where the pass begins in the place of its images: behind a stage, with the features there. A model honours it by running
   * its parts through {@link throughStages}; {@link forwardFrom} makes such a pass.
   */
  from?: { readonly stage: string; readonly features: tf.Tensor };
  /** Statistics that stay: their layers use the running values in training too. Default: none. */
  fixed?: ReadonlySet<string>;
  /**
   * In training with `train.batchNorm: synced`: a vector `[n]` of each replica, from that of this one; `[replicas, n]`. The batch
   * norm of a model of your own takes its statistics from it. Default: each replica has its own.
   */
  across?: ((own: tf.Tensor) => tf.Tensor) | undefined;
  /** What next running statistics of batch norm have of the batch's; with 1 they are the batch's. Default: the layer's own, 0.1. */
  momentum?: number | undefined;
}

/** A named array of the model: a parameter, or a running statistic of batch norm. */
export interface WeightSpec {
  /** Unique in the model, `/`-separated, for example `stage1/block2/conv1/kernel`; the head's begin with `classifier/`. */
  name: string;
  shape: readonly number[];
  /**
   * `kernel`, `bias` and `norm` (scale and shift) are trained; a `statistic` is carried by the forward pass. `state` is
   * what a plugin keeps of its own, a queue or a second network: saved with the rest, carried by the forward pass, by the
   * update or by `run.write`, and never trained, averaged (`ema`), fixed (`frozenNorm`) or counted as a parameter.
   */
  kind: 'kernel' | 'bias' | 'norm' | 'statistic' | 'state';
  /** Stage that ends the part of the network in which it is used. The classifier's need none. Default: not known. */
  stage?: string;
  /**
   * Initial values, `[product of shape]`, from the stream `(seed, 'init', name)`. Those of `state` may follow from what the
   * model's other weights begin with, by name, after `model.init` and `initialWeights`: other kinds are given none.
   */
  initial(random: Random, weights?: Readonly<Record<string, Float32Array>>): Float32Array;
}

/** What a forward pass gives. */
export interface ModelOutputs {
  /** `[batch, C]`. */
  logits: tf.Tensor;
  /** `[batch, D]`, the classifier's input. */
  features: tf.Tensor;
  /** Next value of each statistic, and of state, by weight name; empty outside training. */
  statistics: NamedTensors;
  /**
   * What plugins add, as `<plugin>/<name>`, of any shape: logits of experts, a projection. The loss sees it
   * (`Loss.scored`, `terms`, `penalties`). Whoever wraps the forward pass passes it on.
   */
  extras?: NamedTensors;
}

/**
 * The model as a pure function of its weights.
 * `images` is `[rows, height, width, channels]`, normalised, float32. The model calls `pass.atStage(name, features)`
 * at each of its stages, `input` first, and goes on with what that returns (which may have fewer rows: a pool of images
 * is mixed down to the trained batch there).
 */
export type Forward = (weights: NamedTensors, images: tf.Tensor, pass: Pass) => ModelOutputs;

/** What turns features into logits. */
export interface ModelHead {
  /** `linear`: x·W + b. `cosine`: `scale` times the cosine of features and class weights. */
  kind: 'linear' | 'cosine';
  /** Factor of the cosines; 1 for a linear head. */
  scale: number;
}

/** A part of a network that a plugin may wrap. */
export interface Seam {
  /** Unique in the model, as names of weights are: `stage2/block1`, `block3/attention/query`. */
  name: string;
  /** Length of the last axis of what the part takes, and of what it gives. */
  in: number;
  out: number;
}

/** A network: its weights by name, the stages between which features may be mixed, and its forward pass. */
export interface Model {
  name: string;
  weights: readonly WeightSpec[];
  /** In order; the first is `input`. */
  stages: readonly string[];
  /** Parts that plugins may wrap, in the order of the forward pass. Default: none. */
  seams?: readonly Seam[];
  /** Length of the feature vector. */
  featureSize: number;
  /** Losses that need cosines ask for it; leave it out where neither kind fits. */
  head?: ModelHead;
  /** Whether training draws numbers: each step then has a seed, `pass.inputs.modelSeed`, which {@link dropout} takes. */
  random?: boolean;
  forward: Forward;
}
