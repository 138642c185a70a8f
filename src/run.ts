import type { FeatureSource } from './data/features.ts';
import type { DataIdentity, OtherData } from './data/identity.ts';
import type { TransformOptions } from './data/transforms/options.ts';
import type { Interpolation } from './data/transforms/resample.ts';
import type { LogitPrior } from './metrics/further.ts';
import type { KeptLogits } from './metrics/logits.ts';
import type { EpochMetrics, GroupRule, Rollback, RunSummary } from './metrics/types.ts';
import type { ModelHead } from './models/types.ts';

/** What is fixed for a whole run; known before any data is read. */
export interface RunInfo {
  name: string;
  seed: number;
  /** Name of the data set. */
  dataset: string;
  classes: readonly string[];
  /** `[C]`, images per class of the (long-tailed) training set; a sampler never changes them. */
  classCounts: readonly number[];
  /** N, training images. */
  trainCount: number;
  /** Images of the validation split; 0 without one. */
  validationCount: number;
  /** What the data themselves decided about the splits; nothing where they have none but train and test. */
  dataNotes?: readonly string[];
  /** `[height, width, channels]`. */
  imageShape: readonly [number, number, number];
  /** The same of what images are scaled to first, where the model takes a part of that; evaluation takes the centre. */
  packShape?: readonly [number, number, number];
  /** How images of other sizes are scaled. Default: `bilinear`. */
  interpolation?: Interpolation;
  /** Of a run on features instead of images: what they were computed from. `imageShape` is then `[1, 1, D]`. */
  features?: FeatureSource;
  /** Per channel, of pixel values scaled to 0…1: what images are normalised by. */
  mean: readonly number[];
  std: readonly number[];
  /** Transforms of training images, in order. */
  augment: readonly TransformOptions[];
  epochs: number;
  batchSize: number;
  stepsPerEpoch: number;
  /** Parts that each batch is trained in. Default: 1. */
  replicas?: number;
  /** Whether replicas share the statistics of batch norm. Default: `perReplica`. */
  batchNorm?: 'perReplica' | 'synced';
  /** Whether partners to mix with are of the same replica. Default: `perReplica`. */
  pairs?: 'perReplica' | 'global';
  /** Stages of the model between which features can be mixed; the first is `input`. */
  modelStages: readonly string[];
  featureSize: number;
  /** The model's classifier; null where a model of the user's own does not say. */
  head: ModelHead | null;
  groups: GroupRule;
  /** Where the weights begin, and which are trained. */
  start: RunStart;
  /** Numbers that are trained, and all of the model, where a plugin for fine-tuning freezes the rest of the backbone. */
  tuned?: { trained: number; all: number };
  /** Of a run from published weights: where mean, deviation, size, crop and interpolation come from, in words. */
  preprocessing?: string;
  /** Weights with a learning rate or weight decay of their own, in words; nothing where all are alike. */
  weightGroups?: readonly string[];
  /** In a phase of a run that has several: which it is. Epochs and steps are then the phase's, and count from its beginning. */
  phase?: PhaseInfo;
  /** For plugins that span a run of several phases: all of them. Epochs are then the run's, batches the first phase's. */
  phases?: readonly PhaseInfo[];
}

/** A phase of a run that has several. */
export interface PhaseInfo {
  /** Unique in the run. */
  name: string;
  /** Counts from 1. */
  number: number;
  epochs: number;
  batchSize: number;
  stepsPerEpoch: number;
}

/** Where a run's weights begin, and which of them are trained. */
export interface RunStart {
  /** Run, checkpoint or phase that the weights are from; null for drawn ones. */
  init: string | null;
  /** As in the config: weights drawn anew, and weights that are not trained. */
  reset: readonly string[];
  freeze: readonly string[];
  /** What frozen batch norms normalise by; null for a network that has none. */
  frozenNorm: 'batch' | 'running' | null;
}

/** Weights that a file of published ones has, bit for bit: a checkpoint names it in their place. */
export interface SnapshotBackbone {
  /** Network, as `model.name`. */
  name: string;
  /** The file as the config names it, and its absolute path when the run began. */
  file: string;
  path: string;
  /** Of the file. */
  sha256: string;
  /** Names of the weights. */
  weights: readonly string[];
  /** SHA-256 of their names, shapes and values. */
  values: string;
  /** What the network was made with: options of the model, number of classes, `[height, width, channels]`. JSON. */
  model: Readonly<Record<string, unknown>>;
  classes: number;
  imageShape: readonly [number, number, number];
}

/** Everything a run can be resumed from. */
export interface Snapshot {
  /** Last finished epoch. */
  epoch: number;
  /** Last finished step. */
  step: number;
  /** Weights, statistics and optimizer slots by name. */
  state: Record<string, { shape: readonly number[]; values: Float32Array }>;
  /** Names in `state` that are the model's weights and statistics; the others are the optimizer's. */
  weights: readonly string[];
  /** Weights of `state` that are never trained and that a published file has; only if there are any. */
  backbone?: SnapshotBackbone;
  /** What each plugin's `state.save()` returned, by plugin name. JSON. */
  plugins: Record<string, unknown>;
  /** Metrics of every epoch so far, without confusion matrices. */
  history: EpochMetrics[];
  /** How often the run diverged and went back; only if it did. */
  rollbacks?: readonly Rollback[];
  /** Wall time so far, summed over resumes, in seconds. */
  seconds: number;
  /** Hash of the resolved config the run had. */
  configHash: string;
  /** What it was trained on; checkpoints of earlier versions have none. */
  data?: SnapshotData;
  /** The version of tailmix that made it; checkpoints of earlier versions have none. */
  tailmix?: string;
  /**
   * What computed it, beside the config: backend, version of TensorFlow, build of the custom ops, threads, kind of step,
   * precision, device. With another, last bits differ. By name, as messages show it; checkpoints of earlier versions have none.
   */
  computedBy?: Readonly<Record<string, string>>;
}

/** What a run was trained on, and what its weights have seen that differs from it. */
export type SnapshotData = DataIdentity & { otherData?: readonly OtherData[] };

/** A weight of the model, or a running statistic. */
export interface RunWeight {
  name: string;
  shape: readonly number[];
  /** False for statistics, and for what `model.freeze` names. */
  trained: boolean;
}

/** A run as its observers see it. */
export interface Run {
  readonly info: RunInfo;
  /** Run directory; null when none was asked for. */
  readonly directory: string | null;
  /** Resolved config, defaults in, `${env:…}` as its placeholder. JSON. */
  readonly config: unknown;
  readonly configHash: string;
  /** The printed plan. */
  readonly plan: string;
  /** Epoch the run was resumed after; 0 for a fresh run. */
  readonly resumedFrom: number;
  /** Metrics of every epoch so far, those of before a resume first; confusion matrices of the last evaluation only. */
  readonly epochs: readonly EpochMetrics[];
  readonly engine: {
    backend: string;
    tensorflow: string | null;
    mode: 'eager' | 'captured';
    reason: string | null;
    precision: 'fp32' | 'bf16';
    precisionReason: string | null;
    /** The PJRT device that computes, as `cuda, NVIDIA H200`; absent where TensorFlow does. */
    device?: string;
  };
  /**
   * `profile`: how the training images were thinned out, as `exp-100`; null where they were not. `skipped`: unreadable
   * images that were left out (`data.onCorrupt: skip`), those of test too.
   */
  readonly subset: { seed: number; profile: string | null; hash: string; skipped: number };
  /** What the run is trained and evaluated on, by content. */
  readonly data: SnapshotData;
  /** Images evaluated on; `validation` is null without one. `hash` as that of the subset. */
  readonly evaluated: Readonly<Record<'test' | 'validation', { hash: string; count: number } | null>>;
  /**
   * Logits of the last evaluation; null for a split that was not evaluated or whose logits are not kept (`evaluate.keepLogits`).
   * `prior`: by which class shares they are log-posteriors.
   */
  readonly logits: { test: KeptLogits | null; validation: KeptLogits | null; prior: LogitPrior };
  /** Weights and statistics of the model, in order. */
  readonly weights: readonly RunWeight[];
  /** Why the run ends after the current epoch; null while it goes on. */
  readonly stopped: string | null;
  /** Whether the run ends because it was asked to from outside: Ctrl-C, the end of the process that started it. */
  readonly interrupted: boolean;
  /** Ends the run after the current epoch, in good order. */
  stop(reason: string): void;
  /**
   * Replaces values of weights of kind `state`, by name, from the next step on. In `onTrainBegin`, `onEpochBegin` and
   * `onEpochEnd`, where ranks before `Order.Checkpoint` are in that epoch's checkpoint. In a cluster each process must write the same.
   *
   * @throws {TailmixError} STATE_WRITE for another weight, another length, NaN, or a call within an epoch.
   */
  write(values: Readonly<Record<string, Float32Array>>): void;
  /** Reads the state back from the engine. */
  snapshot(): Snapshot;
  /** The summary as of now. */
  summary(): RunSummary;
}

/** A run as seen from one of its phases. */
export interface PhaseRun extends Run {
  /** As plugins see it that span the phases. */
  readonly whole: Run;
}

/** A checkpoint that was written. */
export interface CheckpointInfo {
  path: string;
  epoch: number;
  step: number;
}
