/** How classes are put into groups by their number of training images. Printed wherever a group is. */
export interface GroupRule {
  /** A class with more training images than this is a many-shot class. Default 100. */
  manyAbove: number;
  /** A class with fewer training images than this is a few-shot class. Default 20. */
  fewBelow: number;
}

/** Figures of one evaluation, all in 0…1 but `loss`. */
export interface Evaluation {
  /** Number of images evaluated. */
  count: number;
  /** Mean cross-entropy of the plain logits, without margins or weights. */
  loss: number;
  accuracy: number;
  /** Mean of the per-class accuracies; classes without a test image do not count. */
  balancedAccuracy: number;
  /** `[C]`, null for a class without a test image. */
  perClass: (number | null)[];
  /** Mean per-class accuracy of a group; null for a group without classes. */
  many: number | null;
  medium: number | null;
  few: number | null;
  worstClass: { label: number; name: string; accuracy: number };
  macroF1: number;
  /** Expected calibration error with 15 equal bins of confidence. */
  ece: number;
  /** The 15 bins behind `ece`, from the lowest confidence up. */
  reliability: ReliabilityBin[];
  /** Null with 5 classes or fewer. */
  top5: number | null;
  /**
   * Pairs of true and predicted class that occur, by true class, then by predicted class. Null in `metrics.jsonl`, where
   * one a line would outweigh all else: `summary.json` has the last.
   */
  confusion: ConfusionCount[] | null;
  /** What plugins made of it in `computeFigures`, by name; only if one did. */
  figures?: Readonly<Record<string, number>>;
}

/** What `computeFigures` is given: one evaluation of a split. */
export interface EvaluatedSplit {
  split: 'validation' | 'test';
  /** As the plugin's other hooks count it; of `tailmix evaluate` the checkpoint's. */
  epoch: number;
  /** `[N × C]`, row-major: what the run predicts by, `buildPrediction` included. To be read only. */
  logits: Float32Array;
  /** `[N]`, true classes. */
  labels: Int32Array;
  /** What core has computed, without figures of plugins. */
  evaluation: Evaluation;
}

/** `[label, predicted, images]`: images of a class that were taken for a class, at least one. */
export type ConfusionCount = [label: number, predicted: number, images: number];

/** Images whose highest probability lies in one bin of confidence. */
export interface ReliabilityBin {
  /** Images in the bin. */
  count: number;
  /** Mean of their highest probability; null for an empty bin. */
  confidence: number | null;
  /** Share of them predicted rightly; null for an empty bin. */
  accuracy: number | null;
}

/** One line of `metrics.jsonl`. */
export interface EpochMetrics {
  /** Counts from 1, over all phases. */
  epoch: number;
  /** Name of the phase; only in a run that has several. */
  phase?: string;
  /** Steps done since the start of the run. */
  step: number;
  /** Of the epoch's last step. */
  learningRate: number;
  train: {
    loss: number;
    /** Correct predictions, weighted by the label weights: the mixed batch is scored, without a second forward pass. */
    accuracy: number;
    /** Share of samples whose label weight is not their mixing weight; null when nothing mixes. */
    relabelledShare: number | null;
    /** Mean of each plugin's penalty, by plugin. */
    penalties: Record<string, number>;
    /** Mean of what plugins log and do not minimise, as `<plugin>` or `<plugin>/<name>`; only where one does. */
    figures?: Record<string, number>;
  };
  /** Null in epochs without an evaluation. */
  test: Evaluation | null;
  validation: Evaluation | null;
  /** Wall time of training in this epoch, without evaluation, in seconds. */
  seconds: number;
  /** Part of `seconds` in which the step waited for the loader. */
  waitSeconds: number;
  imagesPerSecond: number;
}

/** What a phase came to. */
export interface PhaseSummary {
  name: string;
  /** Epochs that it trained. */
  epochs: number;
  /** Its last evaluation, without the confusion matrix; null where there was none. */
  last: Evaluation | null;
}

/** A run that had diverged went back to a checkpoint (`train.onNaN`). */
export interface Rollback {
  /** Epoch in which it had diverged. */
  epoch: number;
  /** Epoch that it went back to the end of; 0: the beginning of the run. */
  to: number;
  /** What learning rates are multiplied by since then, in addition to those before. */
  factor: number;
  reason: string;
}

/** `summary.json`: what a finished (or stopped) run came to. */
export interface RunSummary {
  name: string;
  /** Label of the method in tables: the config's `method`, or its name. */
  method: string;
  seed: number;
  subsetSeed: number;
  subsetHash: string;
  /** What it was trained and evaluated on, by content: see `DataIdentity`. Summaries of earlier versions have none. */
  images?: { train: string; validation: string | null; test: string };
  /** Data that its weights have seen and that its own differ from, allowed by `--allow-other-data`. */
  otherData?: readonly { by: 'resume' | 'init'; data: { train: string; classes: readonly string[] } }[];
  configHash: string;
  status: 'finished' | 'stopped' | 'failed';
  /** Why a run stopped early or failed. */
  reason: string | null;
  dataset: string;
  classes: readonly string[];
  classCounts: number[];
  groups: GroupRule;
  epochs: number;
  /** How often the run diverged and went back; only if it did. */
  rollbacks?: readonly Rollback[];
  /** How each phase ended, in order; only in a run that has several. The figures below are those of the last one begun. */
  phases?: PhaseSummary[];
  /** Headline: the evaluation of the last evaluated epoch. */
  last: Evaluation | null;
  /**
   * Figures of `last` beyond those in it, by name: docs/metrics.md has them. Those of probabilities are computed from the logits as
   * they are kept, in half precision. Summaries of earlier versions have none.
   */
  figures?: Readonly<Record<string, number>>;
  /** Epoch of `last`; without an evaluation, the last finished epoch (0: none). */
  lastEpoch: number;
  /** Optimistic: the epoch of highest accuracy on the test set itself. Only to compare with papers that report it. */
  bestOnTest: { epoch: number; accuracy: number; balancedAccuracy: number } | null;
  /** The epoch of highest balanced accuracy on the validation split, with its figures on test; only with such a split. */
  chosenOnValidation?: { epoch: number; accuracy: number; balancedAccuracy: number };
  /** Median over the last five evaluated epochs, over all of them where there are fewer. */
  lastFiveMedian: { accuracy: number; balancedAccuracy: number } | null;
  backend: string;
  stepMode: 'eager' | 'captured';
  stepModeReason: string | null;
  precision: 'fp32' | 'bf16';
  /** Why this precision; null when it was asked for. */
  precisionReason: string | null;
  /** The PJRT device that computed, as `cuda, NVIDIA H200`; absent where TensorFlow did. */
  device?: string;
  /** Numbers that the network learns, of the last phase begun, and all that it could. Summaries of earlier versions have none. */
  parameters?: { trained: number; all: number };
  /**
   * Multiply–accumulates of the prediction of one image: docs/metrics.md says what is counted. Absent where the step was never
   * recorded, and in summaries of earlier versions.
   */
  macs?: number;
  /** Wall time of the whole run, summed over resumes, in seconds. */
  seconds: number;
  tailmix: string;
  /** Of what else ran the run, for example `{ node: '20.19.0', tensorflow: '2.21.0' }`. */
  versions?: Readonly<Record<string, string>>;
}
