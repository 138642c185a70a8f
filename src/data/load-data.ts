import { messageOf, TailmixError, toError } from '../errors.ts';
import { checkImages, checkInfo } from './check-dataset.ts';
import { type Dataset, type DatasetInput, isDataset } from './dataset.ts';
import { channelCount, classUnread, countsUnknown, datasetOptions, datasetThrew, emptyClass } from './errors.ts';
import type { DataOptions } from './options.ts';
import { expectParts, partsOf } from './parts.ts';
import { fitLongTail, profileOf } from './profile.ts';
import { packedRoot } from './root.ts';
import { datasetOf } from './sets/registry.ts';
import { drawRows, splitsOf, subsetOf } from './subset.ts';
import { shapesAfter } from './transforms/augment.ts';
import type {
  CountSummary,
  DataPlan,
  DatasetImages,
  DatasetInfo,
  ImageInfo,
  LoadedData,
  ReadContext,
  Unreadable,
} from './types.ts';

/**
 * What a run will train on, without reading an image: counts of a known set come from what is known of it; of class
 * folders the files are listed.
 */
export async function describeData(options: DataOptions): Promise<DataPlan> {
  const dataset = datasetOf(options);
  const own = ownOptions(dataset, options);
  const info = withStatistics(await asked(options, 'describe', async () => dataset.describe(own), checkInfo), options);
  const { fullCounts, validationCount: validation = 0, testCount: test } = info;
  if (!hasCounts(fullCounts)) return planUnread(info, fullCounts, options);
  const empty = fullCounts.indexOf(0);
  if (empty >= 0) throw classUnread(info.classes[empty]!);
  const expected = expectParts(fullCounts, options, { validation, test });
  return {
    info: withNotes(info, expected.notes),
    ...tailOf(info, expected.train, options),
    validationCount: expected.validation,
    testCount: expected.test,
    augment: augmentOf(info, options),
  };
}

/** Whether class counts are known, and not only summed up. */
export const hasCounts = (counts: DataPlan['classCounts']): counts is readonly number[] => Array.isArray(counts);

/** Opens a data set and draws its subsets, as {@link drawSubsets} does. */
export async function loadData(options: DataOptions, context: Partial<ReadContext> = {}): Promise<LoadedData> {
  return drawSubsets(await readImages(options, context), options);
}

/** Opens the splits that a data set has, whole. */
export async function readImages(
  options: DataOptions,
  { cache = packedRoot(), fresh = false, onProgress = () => {} }: Partial<ReadContext> = {},
): Promise<DatasetImages> {
  const dataset = datasetOf(options);
  const own = ownOptions(dataset, options);
  return asked(
    options,
    'read',
    () => dataset.read(own, { cache, dataset: dataset.name, fresh, pack: options.pack ?? 'pixels', onProgress }),
    checkImages,
  );
}

/** What a data set answers; that of a user's module is checked, and its errors name it. */
async function asked<T>(
  { name }: DataOptions,
  call: 'describe' | 'read',
  answer: () => Promise<T>,
  check: (name: string, found: T) => void | Promise<void>,
): Promise<T> {
  if (!isDataset(name)) return answer();
  const found = await answer().catch((thrown: unknown) => {
    const error = toError(thrown);
    throw error instanceof TailmixError ? error : datasetThrew(name.name, call, messageOf(error), error);
  });
  await check(name.name, found);
  return found;
}

/** Files of all splits that were left out. */
export const unreadableOf = (images: DatasetImages): Unreadable[] =>
  splitsOf(images).flatMap(({ unreadable = [] }) => unreadable);

/**
 * Draws the subsets of a data set: first what `data.split` holds out of all training images, then the long tail from the
 * rest.
 */
export function drawSubsets(images: DatasetImages, options: DataOptions): LoadedData {
  const info = withStatistics(images.info, options);
  const classCount = info.classes.length;
  const { train, validation, test, notes } = partsOf(images, options);
  const available = train.map((own) => own.length);
  const { classCounts } = tailOf(info, available, options);
  return {
    info: withNotes(info, notes),
    train: subsetOf(images.train, drawRows(train, classCounts, options.subsetSeed), classCount),
    validation,
    test,
    augment: augmentOf(info, options),
    skipped: unreadableOf(images).map(({ path }) => path),
  };
}

/** The plan of a set whose counts come with its data, without that data: all images, or nothing can be said. */
function planUnread(info: DatasetInfo, summary: CountSummary, options: DataOptions): DataPlan {
  const { profile = datasetOf(options).profile, split } = options;
  if (profile !== 'none') throw countsUnknown('profile', `"${profile}"`, info.name, summary.source);
  if (split !== undefined && split.validation + split.test > 0)
    throw countsUnknown('split', 'a split', info.name, summary.source);
  return {
    info,
    profile,
    classCounts: summary,
    validationCount: 0,
    testCount: info.testCount,
    augment: augmentOf(info, options),
  };
}

/** Transforms of training images; they, and none in evaluation, must end at the shape that the model takes. */
function augmentOf({ shape, packShape = shape, keptShape }: ImageInfo, options: DataOptions): DataPlan['augment'] {
  const { augment = datasetOf(options).augment } = options;
  for (const transforms of [augment, []])
    shapesAfter(transforms, keptShape ?? packShape, shape, keptShape !== undefined);
  return augment;
}

/** The long tail of a run, cut from the images per class that it may train on. */
function tailOf(
  { classes }: ImageInfo,
  available: readonly number[],
  options: DataOptions,
): { profile: DataPlan['profile']; classCounts: readonly number[] } {
  const profile = profileOf(options, datasetOf(options).profile);
  const classCounts = fitLongTail(available, profile);
  const empty = classCounts.indexOf(0);
  if (empty >= 0) throw emptyClass(classes[empty]!, profile.ratio, Math.max(...classCounts));
  return { profile: profile.profile, classCounts };
}

const withNotes = <T extends ImageInfo>(info: T, notes: readonly string[]): T =>
  notes.length > 0 ? { ...info, notes: [...(info.notes ?? []), ...notes] } : info;

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
