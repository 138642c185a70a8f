import { TailmixError } from '../../errors.ts';
import { concatenate } from '../../util/concatenate.ts';
import { describeData, drawSubsets, hasCounts, readImages, unreadableOf } from '../load-data.ts';
import type { DataOptions } from '../options.ts';
import { partsOf } from '../parts.ts';
import type { Part } from '../split.ts';
import type { CountSummary, DatasetImages, ImageInfo, ReadContext, Subset, Unreadable } from '../types.ts';
import { type Scan, type ScannedParts, scanImages, type Twins } from './scan.ts';

/** An image, to be named. */
export interface ImageName {
  split: Part;
  /** Of its split; of the training images where `data.split` held it out of them. */
  row: number;
  class: string;
  /** Its file, where every image is one. */
  file: string | null;
}

/** Images with the same pixels. */
export interface Duplicates {
  /** Test images whose pixels are in the training images too. */
  testInTrain: number;
  /** Validation images whose pixels are in the training images too. */
  validationInTrain: number;
  /** Training images that repeat an earlier one. */
  withinTrain: number;
  /** Validation images that repeat an earlier one. */
  withinValidation: number;
  /** Test images that repeat an earlier one. */
  withinTest: number;
  /** Sets of equal images that are in more than one class. */
  acrossClasses: number;
  /** Each set of equal images; those in several splits first. */
  sets: ImageName[][];
}

/** What is known of a data set. Counts are in label order. */
export interface DataReport {
  info: ImageInfo;
  /** All training images per class without those held out, `[C]`, or what is known of them. */
  allCounts: readonly number[] | CountSummary;
  /** Those that a run would train on, `[C]`; null where nothing can be drawn. */
  trainCounts: readonly number[] | null;
  /** Why nothing can be drawn. */
  notDrawn: string | null;
  /** Test images per class, `[C]`; null where only their number is known. */
  testCounts: readonly number[] | null;
  testCount: number;
  /** 0 for none. */
  validationCount: number;
  /** Everything that needs the images; null where they are not there, or were not asked for. */
  read: ReadReport | null;
  /** Why the images were not read; null where they were not asked for. */
  notRead: string | null;
}

/** What the images themselves say. */
export interface ReadReport {
  parts: ScannedParts;
  /** What a run would train on; null where nothing can be drawn. */
  train: Subset | null;
  duplicates: Duplicates;
  /** Per channel, of all training pixels scaled to 0…1. */
  mean: number[];
  std: number[];
  unreadable: Unreadable[];
}

/** How to look, and how to tell about it. */
export interface InspectOptions extends Partial<ReadContext> {
  /** Whether images are read (default true). */
  images?: boolean;
  onScan?: (done: number, total: number) => void;
}

/**
 * Looks at a data set: what is known of it and, where its images are, at each of them. Unreadable files are listed,
 * whatever `onCorrupt` says.
 *
 * @throws {TailmixError} of the data set, but for images that are not there
 */
export async function inspectData(options: DataOptions, inspect: InspectOptions = {}): Promise<DataReport> {
  const { images: wanted = true, onScan } = inspect;
  const found = wanted ? await imagesOf(options, inspect) : null;
  if (found === null || 'missing' in found) {
    const plan = await describeData(options);
    return {
      info: plan.info,
      allCounts: plan.info.fullCounts,
      trainCounts: hasCounts(plan.classCounts) ? plan.classCounts : null,
      notDrawn: null,
      testCounts: null,
      testCount: plan.testCount,
      validationCount: plan.validationCount,
      read: null,
      notRead: found?.missing ?? null,
    };
  }
  const { validation, test, ...divided } = partsOf(found, options);
  const info = { ...found.info, notes: [...(found.info.notes ?? []), ...divided.notes] };
  const train = { split: found.train, indices: concatenate(Int32Array, divided.train) };
  const drawn = attempt(() => drawSubsets(found, options));
  const parts = { train, validation, test };
  const scan = await scanImages(parts, info.shape, onScan);
  return {
    info,
    allCounts: divided.train.map((rows) => rows.length),
    trainCounts: drawn.value ? [...drawn.value.train.classCounts] : null,
    notDrawn: drawn.fault,
    testCounts: [...test.classCounts],
    testCount: test.indices.length,
    validationCount: validation?.indices.length ?? 0,
    read: {
      parts,
      train: drawn.value?.train ?? null,
      duplicates: duplicatesOf(scan, parts, info),
      mean: scan.mean,
      std: scan.std,
      unreadable: unreadableOf(found),
    },
    notRead: null,
  };
}

/** Codes of errors that say that there are no images, or none that can be read. */
const absent = new Set(['DATA_MISSING', 'DATA_EMPTY']);

async function imagesOf(options: DataOptions, context: InspectOptions): Promise<DatasetImages | { missing: string }> {
  try {
    return await readImages(options, context);
  } catch (error) {
    if (!(error instanceof TailmixError)) throw error;
    if (absent.has(error.code)) return { missing: error.message };
    // Only now: where all files are good, the packed file of a run serves.
    if (error.code === 'DATA_IMAGE' && options.onCorrupt === 'error') {
      return imagesOf({ ...options, onCorrupt: 'skip' }, context);
    }
    throw error;
  }
}

function attempt<T>(draw: () => T): { value: T | null; fault: string | null } {
  try {
    return { value: draw(), fault: null };
  } catch (error) {
    if (error instanceof TailmixError) return { value: null, fault: error.message };
    throw error;
  }
}

function duplicatesOf({ twins }: Scan, parts: ScannedParts, { classes }: ImageInfo): Duplicates {
  const name = (of: Part, row: number): ImageName => {
    const { labels, files } = parts[of]!.split;
    return { split: of, row, class: classes[labels[row]!]!, file: files?.[row] ?? null };
  };
  const sets = twins
    .toSorted((a, b) => Number(isLeak(b)) - Number(isLeak(a)))
    .map((rows) => (['train', 'validation', 'test'] as const).flatMap((of) => rows[of].map((row) => name(of, row))));
  const total = (count: (rows: Twins) => number): number => twins.reduce((sum, rows) => sum + count(rows), 0);
  const within = (of: Part): number => total((rows) => Math.max(0, rows[of].length - 1));
  const inTrain = (of: Part): number => total((rows) => (rows.train.length > 0 ? rows[of].length : 0));
  return {
    testInTrain: inTrain('test'),
    validationInTrain: inTrain('validation'),
    withinTrain: within('train'),
    withinValidation: within('validation'),
    withinTest: within('test'),
    acrossClasses: sets.filter((set) => set.some((image) => image.class !== set[0]!.class)).length,
    sets,
  };
}

const isLeak = (rows: Twins): boolean => Object.values(rows).filter((own) => own.length > 0).length > 1;
