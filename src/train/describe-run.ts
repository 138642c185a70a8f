import { declaredTrained, extendModel } from '../compose/declared.ts';
import type { Warning } from '../compose/types.ts';
import { featureInfo } from '../data/features.ts';
import { describeData, hasCounts } from '../data/load-data.ts';
import { type DataInput, type DataOptions, dataOptions, ownPreprocessing, withPreprocessing } from '../data/options.ts';
import { longTailCounts, profileLabel, profileOf, unusedOf } from '../data/profile.ts';
import { datasetName, datasetOf } from '../data/sets/registry.ts';
import type { CountSummary, DataPlan, ImageInfo, LoadedData } from '../data/types.ts';
import { headEntries, headModel } from '../models/features.ts';
import { isParameter, isTrained } from '../models/kinds.ts';
import { openModel } from '../models/open.ts';
import { preprocessingOf, preprocessingSource } from '../models/published/preprocessing.ts';
import { type ExtendedModel, frozenWeights } from '../models/transfer.ts';
import type { Model, Task } from '../models/types.ts';
import type { RunInfo, RunStart } from '../run.ts';
import { groupWeights, type WeightRules } from '../step/groups.ts';
import { numbersIn } from '../util/shape.ts';
import { cropsOfNothing } from './errors.ts';
import { checkFeatures, wantsFeatures } from './features.ts';
import { evaluateOptions, trainOptions } from './options.ts';
import type { Settings, TrainerOptions } from './prepare.ts';
import { describeStart, publishedStart } from './start.ts';
/** Weights that are not trained, and statistics that stay. */
export interface Trained {
  frozen: ReadonlySet<string>;
  fixed: ReadonlySet<string>;
}

/** Whether data is read already. */
export const isLoaded = (data: TrainerOptions['data']): data is LoadedData => 'train' in data;

/** What a run, or a phase of one, would be, without its images. */
export interface Described {
  settings: Settings;
  models: ExtendedModel;
  info: RunInfo;
  trained: Trained;
  /** Of weights whose learning rate or weight decay is not the optimizer's. */
  rules: WeightRules;
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

/** What is known of the images that are read. */
export const countsOf = ({ info, augment, train, validation }: LoadedData) => ({
  info,
  augment,
  classCounts: Array.from(train.classCounts),
  validationCount: validation?.indices.length ?? 0,
});

const labelOf = (data: DataOptions): string | null => profileLabel(profileOf(data, datasetOf(data).profile));

/** What is written under `data` and has no effect. */
export const dataWarnings = ({ data }: TrainerOptions): Warning[] =>
  isLoaded(data)
    ? []
    : unusedOf(data, datasetOf(data as DataOptions).profile).map((message) => ({
        code: 'NO_EFFECT',
        plugin: 'data',
        message,
      }));

/** Options with their defaults in. */
export function resolveSettings({ name, method, seed = 0, train, evaluate, data }: TrainerOptions): Settings {
  const named = name ?? (isLoaded(data) ? data.info.name : datasetName(data.name));
  return {
    name: named,
    method: method ?? named,
    seed,
    subsetSeed: isLoaded(data) ? 0 : (data.subsetSeed ?? 0),
    profile: isLoaded(data) ? null : labelOf(dataOptions.parse(data)),
    workers: data.workers ?? 1,
    train: trainOptions.parse(train ?? {}),
    evaluate: evaluateOptions.parse(evaluate ?? {}),
  };
}

/** The run's model before plugins add to it; of a run on features the whole network. */
export const baseModel = (
  { model, backend }: TrainerOptions,
  { classes, features, ...rows }: ImageInfo,
): Promise<Model> => {
  const { shape, mean, std } = features?.images ?? rows;
  return openModel(model, { classes: classes.length, imageShape: shape, mean, std }, backend);
};

/** The model of a run with what plugins add to it, and all that is known of the run before it begins. */
export async function describe(
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
  const preprocessing = await preprocessingInWords(options);
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
    ...(train.replicas && { replicas: train.replicas }),
    ...(train.batchNorm && { batchNorm: train.batchNorm }),
    ...(train.pairs && { pairs: train.pairs }),
    stepsPerEpoch: train.dropLast ? Math.floor(steps) : Math.ceil(steps),
    modelStages: model.stages,
    featureSize: model.featureSize,
    head: model.head ?? null,
    groups: evaluate.groups,
    start,
    ...(tuned && { tuned: countTuned(model, trained.frozen) }),
    ...(preprocessing && { preprocessing }),
    ...(weightGroups.length > 0 && { weightGroups }),
  };
  return { models, info, trained, rules };
}

/** Numbers of a network that are learned, and all that could be. */
export function countTuned({ weights }: Model, frozen: ReadonlySet<string>): NonNullable<RunInfo['tuned']> {
  return {
    trained: numbersIn(weights.filter((weight) => isTrained(weight, frozen))),
    all: numbersIn(weights.filter(isParameter)),
  };
}

/** Where the weights that a run trains begin: on features, those of the classifier. */
function startOfRows(start: RunStart, whole: Model, isFeatures: boolean): RunStart {
  if (!isFeatures) return start;
  const { reset, freeze } = start;
  return { ...start, reset: headEntries(whole, reset, 'reset'), freeze: headEntries(whole, freeze, 'freeze') };
}

/** Where the preprocessing of a run from published weights comes from; null where it has none of its own. */
async function preprocessingInWords(options: TrainerOptions): Promise<string | null> {
  const published = publishedStart(options);
  if (!published || isLoaded(options.data)) return null;
  const found = await preprocessingOf(published);
  if (!found) return null;
  const given = dataOptions.parse(options.data);
  if (withPreprocessing(given, found) === given) return null;
  const own = ownPreprocessing(given, found);
  const source = {
    'config.json': 'as config.json next to the weights says',
    table: 'by the table of docs/models.md, since no config.json of timm is next to the weights',
  }[await preprocessingSource(published.file)];
  return own.length > 0 ? `${source}; but by the config: ${own.join(', ')}` : source;
}

/** The options of a run's data, with the preprocessing of the weights that it starts from where they leave it open. */
export async function withPixels(options: TrainerOptions, given: DataInput): Promise<DataOptions> {
  const data = dataOptions.parse(given);
  const published = publishedStart(options);
  const found = published && (await preprocessingOf(published));
  return found ? withPreprocessing(data, found) : data;
}
