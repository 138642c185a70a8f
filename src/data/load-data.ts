import { messageOf, TailmixError } from '../errors.ts';
import { checkImages, checkInfo } from './check-dataset.ts';
import { type Dataset, type DatasetInput, isDataset } from './dataset.ts';
import {
  channelCount,
  classUnread,
  countsUnknown,
  datasetOptions,
  datasetThrew,
  emptyClass,
  validationTooLarge,
  validationTwice,
} from './errors.ts';
import type { DataOptions } from './options.ts';
import { fitLongTail, profileOf } from './profile.ts';
import { packedRoot } from './root.ts';
import { datasetOf } from './sets/registry.ts';
import { cutRows, drawRows, rowsByClass, splitsOf, subsetOf, wholeOf } from './subset.ts';
import { shapesAfter } from './transforms/augment.ts';
import type { CountSummary, DataPlan, DatasetImages, ImageInfo, LoadedData, ReadContext, Unreadable } from './types.ts';

/**
 * What a run will train on, without reading an image: counts of a known set come from what is known of it; of class
 * folders the files are listed.
 */
export async function describeData(options: DataOptions): Promise<DataPlan> {
  const dataset = datasetOf(options);
  const own = ownOptions(dataset, options);
  const info = withStatistics(await asked(options, 'describe', async () => dataset.describe(own), checkInfo), options);
  const { fullCounts, validationCount } = info;
  return {
    ...(hasCounts(fullCounts)
      ? plan(info, fullCounts, options, validationCount)
      : planUnread(info, fullCounts, options)),
    info,
  };
}

/** Whether class counts are known, and not only summed up. */
export const hasCounts = (counts: DataPlan['classCounts']): counts is readonly number[] => Array.isArray(counts);

/** Opens a data set and draws its subsets, as {@link drawSubsets} does. */
export async function loadData(options: DataOptions, context: Partial<ReadContext> = {}): Promise<LoadedData> {
  return drawSubsets(await readImages(options, context), options);
}

/** Opens both splits of a data set, whole. */
export async function readImages(
  options: DataOptions,
  { cache = packedRoot(), fresh = false, onProgress = () => {} }: Partial<ReadContext> = {},
): Promise<DatasetImages> {
  const dataset = datasetOf(options);
  const own = ownOptions(dataset, options);
  return asked(options, 'read', () => dataset.read(own, { cache, fresh, onProgress }), checkImages);
}

/** What a data set answers; that of a user's module is checked, and its errors name it. */
async function asked<T>(
  { name }: DataOptions,
  call: 'describe' | 'read',
  answer: () => Promise<T>,
  check: (name: string, found: T) => void | Promise<void>,
): Promise<T> {
  if (!isDataset(name)) return answer();
  const found = await answer().catch((error: unknown) => {
    throw error instanceof TailmixError ? error : datasetThrew(name.name, call, messageOf(error), error);
  });
  await check(name.name, found);
  return found;
}

/** Files of all splits that were left out. */
export const unreadableOf = (images: DatasetImages): Unreadable[] =>
  splitsOf(images).flatMap(({ unreadable = [] }) => unreadable);

/**
 * Draws the subsets of a data set: first the validation part (the same number in every class) from all training
 * images, unless the data set has a validation split, then the long tail from the rest.
 */
export function drawSubsets(images: DatasetImages, options: DataOptions): LoadedData {
  const info = withStatistics(images.info, options);
  const classCount = info.classes.length;
  const rows = rowsByClass(images.train.labels, classCount);
  const { classCounts, validationPerClass, augment } = plan(
    info,
    rows.map((own) => own.length),
    options,
    images.validation?.labels.length,
  );
  const { taken, left } = cutRows(rows, validationPerClass, options.subsetSeed);
  const indices = drawRows(left, classCounts, options.subsetSeed);
  return {
    info,
    train: subsetOf(images.train, indices, classCount),
    validation: images.validation
      ? wholeOf(images.validation, classCount)
      : validationPerClass > 0
        ? subsetOf(images.train, taken, classCount)
        : null,
    test: wholeOf(images.test, classCount),
    augment,
    skipped: unreadableOf(images).map(({ path }) => path),
  };
}

/** The plan of a set whose counts come with its data, without that data: all images, or nothing can be said. */
function planUnread(info: ImageInfo, summary: CountSummary, options: DataOptions): Omit<DataPlan, 'info'> {
  const dataset = datasetOf(options);
  const { profile = dataset.profile, validation } = options;
  if (profile !== 'none') throw countsUnknown('profile', `"${profile}"`, info.name, summary.source);
  if (validation > 0) throw countsUnknown('validation', String(validation), info.name, summary.source);
  return {
    profile,
    classCounts: summary,
    validationPerClass: 0,
    validationCount: 0,
    augment: augmentOf(info, options),
  };
}

/** Transforms of training images; they, and none in evaluation, must end at the shape that the model takes. */
function augmentOf({ shape, packShape = shape }: ImageInfo, options: DataOptions): DataPlan['augment'] {
  const { augment = datasetOf(options).augment } = options;
  for (const transforms of [augment, []]) shapesAfter(transforms, packShape, shape);
  return augment;
}

/** What a run trains on, from the images per class. */
function plan(
  info: ImageInfo,
  fullCounts: readonly number[],
  options: DataOptions,
  ownValidation = 0,
): Omit<DataPlan, 'info'> & { classCounts: readonly number[] } {
  if (ownValidation > 0 && options.validation > 0) throw validationTwice(options.validation, ownValidation);
  const dataset = datasetOf(options);
  const profile = profileOf(options, dataset.profile);
  const smallest = Math.min(...fullCounts);
  if (smallest === 0) throw classUnread(info.classes[fullCounts.indexOf(0)]!);
  const perClass = options.validation < 1 ? Math.trunc(options.validation * smallest) : options.validation;
  if (perClass >= smallest || (perClass === 0 && options.validation > 0)) {
    const name = info.classes[fullCounts.indexOf(smallest)]!;
    throw validationTooLarge(options.validation, name, smallest);
  }
  const available = fullCounts.map((n) => n - perClass);
  const classCounts = fitLongTail(available, profile);
  const empty = classCounts.indexOf(0);
  if (empty >= 0) throw emptyClass(info.classes[empty]!, profile.ratio, Math.max(...classCounts));
  return {
    profile: profile.profile,
    classCounts,
    validationPerClass: perClass,
    validationCount: ownValidation || perClass * fullCounts.length,
    augment: augmentOf(info, options),
  };
}

/** The options of a set itself, its defaults in. A config's were checked with the config. */
function ownOptions({ options: schema, name }: Dataset, data: DataOptions): DatasetInput<Record<string, unknown>> {
  const parsed = schema.safeParse(data.options ?? {});
  if (!parsed.success) throw datasetOptions(name, parsed.error.issues[0]!);
  return { ...data, options: parsed.data };
}

/** The info with `data.mean` and `data.std` in place of the set's own. */
function withStatistics<T extends ImageInfo>(info: T, { mean = [...info.mean], std = [...info.std] }: DataOptions): T {
  const channels = info.shape[2];
  if (mean.length !== channels) throw channelCount('mean', info.name, channels, mean.length);
  if (std.length !== channels) throw channelCount('std', info.name, channels, std.length);
  return { ...info, mean, std };
}
