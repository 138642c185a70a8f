export { z } from 'zod';
export type { Adaptation, Adapted, ExtraRows, TwoViews } from './adaptation.ts';
export { layerNorm, oneHot, relu, softmaxCrossEntropy } from './backend/kernels/index.ts';
export { type Backend, type BackendChoice, type BackendName, loadBackend } from './backend/load.ts';
export { createTrainer } from './config/checked-trainer.ts';
export { defineConfig } from './config/define-config.ts';
export { type LoadContext, loadConfig } from './config/load.ts';
export { type ConfigContext, resolveConfig } from './config/resolve.ts';
export type { RunInput } from './config/schema.ts';
export type { PluginEntry, PluginRegistry, ResolvedConfig, RunOptions } from './config/types.ts';
export { type Dataset, type DatasetDefinition, defineDataset, splitInMemory } from './data/dataset.ts';
export { describeData, loadData } from './data/load-data.ts';
export type { DataInput } from './data/options.ts';
export { dataRoot } from './data/root.ts';
export type { DatasetImages, DatasetInfo, LoadedData, ReadContext, Split } from './data/types.ts';
export { displayPath, type ErrorDetails, messageOf, TailmixError } from './errors.ts';
export type { HostArray } from './graph/index.ts';
export { createHooks, type HookName, type Hooks } from './hooks.ts';
export { type ClassMeans, createClassMeans, type FeatureRows } from './long-tail/class-means.ts';
export { logPrior } from './long-tail/class-prior.ts';
export { effectiveNumberWeights, inverseFrequencyWeights } from './long-tail/class-weights.ts';
export { classShares, imageWeights, type SamplingRule, samplingRules } from './long-tail/sampling-weights.ts';
export { describeGroups, groupOf } from './metrics/groups.ts';
export { type Judged, judgedBy } from './metrics/judged.ts';
export type { KeptLogits } from './metrics/logits.ts';
export { withoutConfusion } from './metrics/summary.ts';
export type {
  ConfusionCount,
  EpochMetrics,
  EvaluatedSplit,
  Evaluation,
  GroupRule,
  RunSummary,
} from './metrics/types.ts';
export { defineModel, type ModelChoice, type ModelDefinition, type ModelFactory } from './models/definition.ts';
export { dropout } from './models/dropout.ts';
export { createModel, type ModelOptions } from './models/index.ts';
export { isParameter } from './models/kinds.ts';
export { graphModel, layersModel } from './models/open.ts';
export { atSeam, type Extension, extendSeams, type Part, selectSeams, type Wrap, wrapSeams } from './models/seams.ts';
export { forwardFrom, type Parts, throughStages, weightsBehind } from './models/stages.ts';
export type {
  Forward,
  ImageTask,
  Model,
  ModelHead,
  ModelOutputs,
  Pass,
  Seam,
  Task,
  WeightSpec,
} from './models/types.ts';
export {
  type Capability,
  type Correction,
  definePlugin,
  epochOption,
  type HeldPlugin,
  type InitialContext,
  label,
  Order,
  type Plugin,
  type PluginContext,
  type PluginDefinition,
  type PluginFactory,
  type PluginState,
  pluginOption,
  resolveEpoch,
} from './plugin.ts';
export type { NetworkFacts, PreparedNetwork, PrepareTools } from './prepare.ts';
export { type Random, randomStream } from './random.ts';
export { writeRunReport } from './report/index.ts';
export type { GroupImages, RowGroup } from './row-groups.ts';
export type { CheckpointInfo, Run, RunInfo, RunWeight, Snapshot, SnapshotBackbone } from './run.ts';
export { createBatch, createTargets, emptyInput, partners, sharesOf } from './step/batch.ts';
export { afterPass, forwardRows, type RowOutputs, rowsOf } from './step/forward-rows.ts';
export { globalNorm } from './step/global-norm.ts';
export { createEngine, type EngineOptions } from './step/index.ts';
export { boxMask, mixStage, trainFeeds } from './step/inputs.ts';
export { createOptimizer } from './step/optimizers.ts';
export { createStepProgram, type ProgramOptions, type StepPlugins, type StepProgram } from './step/program.ts';
export { signatureFor } from './step/signature.ts';
export { copySlot, zeroSlot } from './step/slots.ts';
export { stopGradient } from './step/stop-gradient.ts';
export type {
  Backward,
  Batch,
  BatchResult,
  Box,
  EpochContext,
  Evaluated,
  GradientParts,
  Gradients,
  InputSpec,
  Loss,
  MixMask,
  OfOutputs,
  Predict,
  RowRanges,
  Scored,
  SlotSpec,
  StepContext,
  Targets,
  Update,
} from './step/types.ts';
export { type NamedTensors, tf } from './tf.ts';
export {
  bestCheckpointPath,
  checkpointEpochs,
  checkpointFolder,
  checkpointPath,
  type LatestCheckpoint,
  readCheckpoint,
  readLatest,
  writeCheckpoint,
} from './tracking/checkpoint.ts';
export { encodeLogits } from './tracking/logits-file.ts';
export { PROGRESS_VARIABLE, type ProgressMessage } from './tracking/progress-message.ts';
export { findRun, listRuns, readEpochs, readSummary } from './tracking/run-directory.ts';
export { logitsFile, runFiles } from './tracking/run-files.ts';
export { type FileSeal, sealedJson, sealOf } from './tracking/seal.ts';
export { appendToFile, writeFileAtomic } from './tracking/write-file.ts';
export { planRun } from './train/plan-run.ts';
export type { RunResult, TrainerOptions } from './train/trainer.ts';
export { version } from './version.ts';
