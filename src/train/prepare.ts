import type { z } from 'zod';
import type { BackendChoice } from '../backend/load.ts';
import { declaredTrained, extendModel } from '../compose/declared.ts';
import type { Warning } from '../compose/types.ts';
import { featureInfo } from '../data/features.ts';
import type { DataIdentity } from '../data/identity.ts';
import { describeData, hasCounts, loadData } from '../data/load-data.ts';
import { type DataInput, type DataOptions, dataOptions, withPreprocessing } from '../data/options.ts';
import { longTailCounts, profileLabel, profileOf, unusedOf } from '../data/profile.ts';
import { datasetName, datasetOf } from '../data/sets/registry.ts';
import type { CountSummary, DataPlan, ImageInfo, LoadedData, ReadProgress } from '../data/types.ts';
import { TailmixError } from '../errors.ts';
import { headEntries, headModel } from '../models/features.ts';
import { type ModelInput, openModel } from '../models/open.ts';
import { preprocessingOf } from '../models/published/preprocessing.ts';
import { type ExtendedModel, frozenWeights, startValues } from '../models/transfer.ts';
import type { Model, Task } from '../models/types.ts';
import type { Plugin, PluginDefinition } from '../plugin.ts';
import type { RunInfo, RunStart, Snapshot } from '../run.ts';
import { groupWeights, type WeightRules } from '../step/groups.ts';
import type { Ownership } from '../tracking/ownership.ts';
import { sizeOf } from '../util/shape.ts';
import { cropsOfNothing, interruptedInReading } from './errors.ts';
import { checkFeatures, featuresOf, wantsFeatures } from './features.ts';
import { evaluateOptions, trainOptions } from './options.ts';
import type { PhaseOptions } from './phases.ts';
import { describeStart, initialValues, publishedStart } from './start.ts';

/** What a run is made of, as a programmer or a resolved config says it. */
export interface TrainerOptions {
  /** Default: the data set's name. */
  name?: string;
  /** Label in tables. Default: the name. */
  method?: string;
  /** Seed of everything but the choice of images. Default 0. */
  seed?: number;
  /** Options of a known data set, or data that is loaded already. */
  data: DataInput | LoadedData;
  /** Options of a known model, a call of one of your own, a model, or a function of the task that makes one. */
  model: ModelInput;
  /** Weights in memory to start from, and for a model of your own what `model.reset` and `model.freeze` are for others. */
  start?: Partial<Omit<RunStart, 'init'>> & {
    init?: Snapshot;
    /** What to call a source whose weights come later. */
    from?: string;
  };
  plugins?: readonly Plugin[];
  /** Parts of the run, one after the other: each starts from the weights of the one before. */
  phases?: readonly PhaseOptions[];
  train?: z.input<typeof trainOptions>;
  evaluate?: z.input<typeof evaluateOptions>;
  backend?: BackendChoice;
  /** Run directory, for plugins that write; it must exist. */
  directory?: string;
  /** Of the directory, where the caller has taken it; else it is the run's for as long as the run takes. */
  ownership?: Ownership;
  /** Continue from here. */
  resume?: Snapshot;
  /** Goes on although a checkpoint was trained on other data; the run records it. Default: no. */
  allowOtherData?: boolean;
  /** Resolved config and its hash, as logged. */
  config?: { resolved: Record<string, unknown>; hash: string };
  /** Ends the run after the current step, in good order; aborted with a TailmixError, the run fails with it. */
  signal?: AbortSignal;
  onDataProgress?: ReadProgress;
  /** Definitions to name in messages about missing capabilities. */
  known?: readonly PluginDefinition[];
}

/** Options with their defaults in. */
export interface Settings {
  name: string;
  method: string;
  seed: number;
  /** Seed of the choice of images. */
  subsetSeed: number;
  /** How the training images were thinned out, as `exp-100`; null where they were not. */
  profile: string | null;
  /** Threads that load images. */
  workers: number;
  train: z.output<typeof trainOptions>;
  evaluate: z.output<typeof evaluateOptions>;
}

/** A run whose images are at hand. */
export interface Preparation {
  options: TrainerOptions;
  settings: Settings;
  data: LoadedData;
  model: Model;
  /** The model before plugins added to it, and after. */
  models: ExtendedModel;
  info: RunInfo;
  warnings: readonly Warning[];
  /** Weights that do not begin as drawn, weights that are not trained, statistics that stay. */
  start: { initial: Record<string, Float32Array> } & Trained;
  /** Of weights whose learning rate or weight decay is not the optimizer's. */
  rules: WeightRules;
  /** What `model.init` was trained on, where its classes are others and its classifier is kept all the same. */
  initialData?: DataIdentity;
}

/** Weights that are not trained, and statistics that stay. */
interface Trained {
  frozen: ReadonlySet<string>;
  fixed: ReadonlySet<string>;
}

const isLoaded = (data: TrainerOptions['data']): data is LoadedData => 'train' in data;

/** Reads the data, unless it is given, and makes the model, for a run that has one phase. */
export async function prepare(options: TrainerOptions, given?: LoadedData): Promise<Preparation> {
  const settings = resolveSettings(options);
  const data = given ?? (await readData(options));
  const { info: image, ...counts } = countsOf(data);
  const base = await baseModel(options, image);
  const { trained, ...described } = await describe(options, settings, base, image, counts);
  const { models, info } = described;
  const { initial, ...initialData } = await initialValues(options, { base, model: models.model }, info);
  const start = { ...trained, initial };
  return {
    options,
    settings,
    data,
    model: models.model,
    ...described,
    warnings: dataWarnings(options),
    start,
    ...initialData,
  };
}

/**
 * The images of a run.
 *
 * @throws {TailmixError} INTERRUPTED when the signal aborts while they are read, and what reading throws.
 */
export async function readData(options: TrainerOptions): Promise<LoadedData> {
  const { data, signal, onDataProgress } = options;
  if (isLoaded(data)) return data;
  const goOn = (): void => {
    throwFailure(signal);
    if (signal?.aborted) throw interruptedInReading(signal.reason);
  };
  const onProgress: ReadProgress = (progress) => {
    goOn();
    onDataProgress?.(progress);
  };
  if (wantsFeatures(options)) checkFeatures(options);
  const images = await loadData(await withPixels(options, data), { onProgress });
  const loaded = wantsFeatures(options)
    ? await featuresOf({ ...options, onDataProgress: onProgress }, resolveSettings(options), images)
    : images;
  goOn();
  return loaded;
}

/** The options of a run's data, with the preprocessing of the weights that it starts from where they leave it open. */
async function withPixels(options: TrainerOptions, given: DataInput): Promise<DataOptions> {
  const data = dataOptions.parse(given);
  const published = publishedStart(options);
  const found = published && (await preprocessingOf(published));
  return found ? withPreprocessing(data, found) : data;
}

/** A preparation that starts from the weights of the phase before. */
export function startedFrom(preparation: Preparation, snapshot: Snapshot): Preparation {
  const { info, models, start } = preparation;
  const { init, reset } = info.start;
  const initial = startValues(models, snapshot, { source: init!, reset, seed: info.seed });
  return { ...preparation, start: { ...start, initial } };
}

/** What a run, or a phase of one, would be, without its images. */
export interface Described {
  settings: Settings;
  models: ExtendedModel;
  info: RunInfo;
  warnings: readonly Warning[];
  unread: CountSummary | null;
}

/**
 * Describes a run that has one phase, without TensorFlow (but for a backbone, which is loaded) and, for known data sets,
 * without data. Where the class counts come with data that is not there, `unread` says what is known of them, and those
 * of `info` are a stand-in of the same range.
 */
export async function describeRun(options: TrainerOptions): Promise<Described> {
  const settings = resolveSettings(options);
  const { data } = options;
  if (wantsFeatures(options)) checkFeatures(options);
  const planned = isLoaded(data) ? null : await describeData(await withPixels(options, data));
  const { info: image, ...counts } = planned
    ? {
        info: planned.info,
        augment: wantsFeatures(options) ? [] : planned.augment,
        classCounts: countsToCompose(planned),
        validationCount: planned.validationCount,
      }
    : countsOf(data as LoadedData);
  const unread = planned && !hasCounts(planned.classCounts) ? planned.classCounts : null;
  const base = await baseModel(options, image);
  const rows = planned && wantsFeatures(options) ? featureInfo(image, base.name, base.featureSize) : image;
  return {
    settings,
    unread,
    warnings: dataWarnings(options),
    ...(await describe(options, settings, base, rows, counts, unread?.total)),
  };
}

/** Class counts, else numbers from the largest class to the smallest: enough to compose plugins, never to train. */
function countsToCompose({ info, classCounts }: DataPlan): number[] {
  if (hasCounts(classCounts)) return [...classCounts];
  const { largest, smallest } = classCounts;
  const profile = { profile: 'exp', ratio: largest / smallest, mu: 0 } as const;
  return longTailCounts(largest, info.classes.length, profile);
}

const countsOf = ({ info, augment, train, validation }: LoadedData) => ({
  info,
  augment,
  classCounts: Array.from(train.classCounts),
  validationCount: validation?.indices.length ?? 0,
});

const labelOf = (data: DataOptions): string | null => profileLabel(profileOf(data, datasetOf(data).profile));

/** What is written under `data` and has no effect. */
const dataWarnings = ({ data }: TrainerOptions): Warning[] =>
  isLoaded(data)
    ? []
    : unusedOf(data, datasetOf(data as DataOptions).profile).map((message) => ({
        code: 'NO_EFFECT',
        plugin: 'data',
        message,
      }));

function resolveSettings({ name, method, seed = 0, train, evaluate, data }: TrainerOptions): Settings {
  const named = name ?? (isLoaded(data) ? data.info.name : datasetName(data.name));
  return {
    name: named,
    method: method ?? named,
    seed,
    subsetSeed: isLoaded(data) ? 0 : (data.subsetSeed ?? 0),
    profile: isLoaded(data) ? null : labelOf(dataOptions.parse(data)),
    workers: isLoaded(data) ? 1 : (data.workers ?? 1),
    train: trainOptions.parse(train ?? {}),
    evaluate: evaluateOptions.parse(evaluate ?? {}),
  };
}

/** The run's model before plugins add to it; of a run on features the whole network. */
const baseModel = ({ model, backend }: TrainerOptions, { classes, features, ...rows }: ImageInfo): Promise<Model> => {
  const { shape, mean, std } = features?.images ?? rows;
  return openModel(model, { classes: classes.length, imageShape: shape, mean, std }, backend);
};

async function describe(
  options: TrainerOptions,
  { name, seed, train, evaluate }: Settings,
  whole: Model,
  image: LoadedData['info'],
  { classCounts, validationCount, augment }: Pick<RunInfo, 'classCounts' | 'validationCount' | 'augment'>,
  trainCount = classCounts.reduce((a, b) => a + b, 0),
): Promise<{ models: ExtendedModel; info: RunInfo; trained: Trained; rules: WeightRules }> {
  const { classes, shape, packShape, interpolation, mean, std, features, notes } = image;
  if (evaluate.crops === 'five' && String(packShape ?? shape) === String(shape)) throw cropsOfNothing(shape);
  const base = features ? headModel(whole) : whole;
  const task: Task = { classes: classes.length, imageShape: shape };
  const model = (options.plugins ?? []).reduce((before, plugin) => extendModel(before, plugin, task), base);
  const models = { base, model };
  const start = startOfRows(await describeStart(options, whole), whole, features !== undefined);
  const tuned = declaredTrained(options.plugins ?? [], base);
  const trained = frozenWeights(models, start, tuned);
  const { rules, notes: weightGroups } = groupWeights(train.optimizer, models, trained.frozen);
  const steps = trainCount / train.batchSize;
  const info: RunInfo = {
    name,
    seed,
    dataset: image.name,
    classes,
    classCounts,
    trainCount,
    validationCount,
    ...(notes && { dataNotes: notes }),
    imageShape: shape,
    ...(packShape && { packShape }),
    ...(interpolation && { interpolation }),
    ...(features && { features }),
    mean,
    std,
    augment,
    epochs: train.epochs,
    batchSize: train.batchSize,
    stepsPerEpoch: train.dropLast ? Math.floor(steps) : Math.ceil(steps),
    modelStages: model.stages,
    featureSize: model.featureSize,
    head: model.head ?? null,
    groups: evaluate.groups,
    start,
    ...(tuned && { tuned: countTuned(model, trained.frozen) }),
    ...(weightGroups.length > 0 && { weightGroups }),
  };
  return { models, info, trained, rules };
}

function countTuned({ weights }: Model, frozen: ReadonlySet<string>): NonNullable<RunInfo['tuned']> {
  const sizeOfAll = (specs: Model['weights']): number => specs.reduce((sum, { shape }) => sum + sizeOf(shape), 0);
  const parameters = weights.filter(({ kind }) => kind !== 'statistic');
  return { trained: sizeOfAll(parameters.filter(({ name }) => !frozen.has(name))), all: sizeOfAll(parameters) };
}

/** Where the weights that a run trains begin: on features, those of the classifier. */
function startOfRows(start: RunStart, whole: Model, isFeatures: boolean): RunStart {
  if (!isFeatures) return start;
  const { reset, freeze } = start;
  return { ...start, reset: headEntries(whole, reset, 'reset'), freeze: headEntries(whole, freeze, 'freeze') };
}

/** @throws {TailmixError} that a signal was aborted with. */
export function throwFailure(signal: AbortSignal | undefined): void {
  if (signal?.reason instanceof TailmixError) throw signal.reason;
}
