import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { compose } from '../compose/compose.ts';
import type { Composition } from '../compose/types.ts';
import { loadRunConfig, type RunContext } from '../config/load.ts';
import { trainerOptions } from '../config/trainer-options.ts';
import { type DataIdentity, expectSameData, warnUncompared } from '../data/identity.ts';
import type { Exif } from '../data/packed/decode.ts';
import { type Interpolation, interpolations } from '../data/transforms/resample.ts';
import type { LoadedData, Split, Subset } from '../data/types.ts';
import { displayPath, type TailmixError } from '../errors.ts';
import type { Snapshot } from '../run.ts';
import { type CheckpointChoice, chooseCheckpoint } from '../tracking/choose-checkpoint.ts';
import { changedRunFile, damagedRunFile, unreadableRunFile } from '../tracking/errors.ts';
import { findRun } from '../tracking/run-directory.ts';
import { runFiles } from '../tracking/run-files.ts';
import { isSealBroken } from '../tracking/seal.ts';
import { expectReadable, otherVersion, readWritten } from '../tracking/written-by.ts';
import { optionsAt } from '../train/phases.ts';
import { type Preparation, prepare, readPixels, type TrainerOptions } from '../train/prepare.ts';
import { withoutImages } from './errors.ts';
import { expectSameConfig } from './same-config.ts';
import { wholeNetwork } from './whole.ts';

/** A trained run, opened: its model and the weights of a checkpoint. */
export interface TrainedRun extends Preparation {
  directory: string;
  /** File of the checkpoint, and what is in it. */
  checkpoint: string;
  snapshot: Snapshot;
  /** Newer checkpoints that could not be read, to be reported. */
  damaged: readonly TailmixError[];
  composition: Composition;
  /** Whether images are turned as their EXIF orientation says. */
  exif: Exif;
  /** As the run began, with all its phases; `options` are those of the checkpoint's phase. */
  whole: TrainerOptions;
}

/** Which checkpoint to open, and how. */
export interface OpenOptions extends RunContext, CheckpointChoice {
  /** Reads the images of its data set, to evaluate on them. Default: they need not be there. */
  readImages?: boolean;
  /** Of a run on features, reads its images, not their features: what is opened is its network on images. Default: no. */
  pixels?: boolean;
  /** Goes on where `subset.json` is that of other data; images that are read are compared by `splitOf`. Default: no. */
  allowOtherData?: boolean;
}

/**
 * Opens a checkpoint of a run, by default the newest that can be read.
 *
 * @param wanted - as `findRun`.
 * @throws {TailmixError} RUN_NEWER, RUN_OTHER_VERSION, OTHER_DATA, CONFIG_DIFFERS, RUN_MISSING, RUN_DAMAGED, and what `chooseCheckpoint` and `loadConfig` throw.
 */
export async function openRun(
  wanted: string,
  { readImages = false, pixels = false, allowOtherData = false, checkpoint, strict, ...context }: OpenOptions,
): Promise<TrainedRun> {
  const directory = await findRun(wanted);
  await expectReadable(directory);
  const configPath = join(directory, runFiles.config);
  const { set = [], overrides = [], sources = 'kept', ...asWritten } = context;
  const isCurrent = sources === 'current';
  const { written, chosen } = await readWritten(directory, async () => {
    const written = await loadRunConfig(directory, asWritten, !isCurrent);
    const chosen = await chooseCheckpoint(directory, { checkpoint, strict });
    return { written, chosen };
  });
  const { snapshot, path, damaged } = chosen;
  await expectSameConfig(configPath, written, snapshot);
  const isAsWritten = set.length + overrides.length === 0 && !isCurrent;
  const config = isAsWritten ? written : await loadRunConfig(directory, context);
  if (!snapshot.data) warnUncompared(displayPath(path));
  const { exif = 'honour', features = false, interpolation } = config.options.data;
  const described = readImages
    ? null
    : await describedData(directory, snapshot, { allowOtherData, features, interpolation });
  const begun = trainerOptions(config);
  const own = { directory, checkpoint: path, damaged, exif, whole: begun };
  if (features && (described || pixels)) {
    const data = described?.data ?? (await readPixels(begun));
    return { ...own, ...(await wholeNetwork(begun, { data, checkpoint: path, snapshot })) };
  }
  const options = { ...optionsAt(begun, snapshot.epoch), resume: snapshot };
  const preparation = await prepare({ ...options, ...described });
  const composition = compose(options.plugins ?? [], preparation.info);
  return { ...preparation, ...own, snapshot, composition };
}

const shape = z.tuple([z.int(), z.int(), z.int()]);
const norm = { mean: z.array(z.number()), std: z.array(z.number()) };

const subsetFile = z.object({
  dataset: z.string(),
  hash: z.string(),
  images: z.object({ train: z.string(), validation: z.string().nullable(), test: z.string() }).optional(),
  validationCount: z.int().min(0),
  classCounts: z.array(z.int()),
  classes: z.array(z.string()),
  imageShape: shape,
  packShape: shape.optional(),
  interpolation: z.enum(interpolations).optional(),
  ...norm,
  features: z
    .object({ backbone: z.string(), images: z.object({ shape, packShape: shape.optional(), ...norm }) })
    .optional(),
});

/**
 * What a run was trained on, as its `subset.json` says, without images.
 *
 * @param options - `features`: the run is one on features, of whose images the file is to tell
 * @throws {TailmixError} OTHER_DATA, RUN_DAMAGED, RUN_OF_FEATURES
 */
async function describedData(
  directory: string,
  snapshot: Snapshot,
  {
    allowOtherData,
    features,
    interpolation: asConfigured,
  }: { allowOtherData: boolean; features: boolean; interpolation?: Interpolation | undefined },
): Promise<{ data: LoadedData }> {
  const path = join(directory, runFiles.subset);
  const found = await readJson(path);
  const parsed = subsetFile.safeParse(found);
  if (!parsed.success) {
    const field = parsed.error.issues[0]!.path.join('.');
    const other = isSealBroken(found)
      ? null
      : await otherVersion(directory, `${field} in ${runFiles.subset} is of another form`);
    throw other ?? damagedRunFile(displayPath(path), `${field} of the file`);
  }
  const {
    dataset,
    hash,
    images,
    validationCount,
    classCounts,
    classes,
    imageShape,
    interpolation = asConfigured,
  } = parsed.data;
  if (features && !parsed.data.features) throw withoutImages(displayPath(path));
  const { shape, packShape, mean, std } = parsed.data.features?.images ?? { ...parsed.data, shape: imageShape };
  const subset = (name: Split['name']): Subset => ({
    split: { name, labels: new Int32Array(), pixels: { kind: 'memory', bytes: new SharedArrayBuffer(0) } },
    indices: new Int32Array(),
    hash,
    classCounts: Int32Array.from(classCounts),
  });
  const data: LoadedData = {
    info: {
      name: dataset,
      classes,
      shape,
      ...(packShape && { packShape }),
      ...(interpolation && { interpolation }),
      mean,
      std,
    },
    train: subset('train'),
    validation: validationCount > 0 ? { ...subset('validation'), indices: new Int32Array(validationCount) } : null,
    test: subset('test'),
    augment: [],
    skipped: [],
  };
  const identity: DataIdentity | null = images ? { dataset, classes, ...images } : null;
  if (identity && snapshot.data && !allowOtherData) {
    expectSameData(`${displayPath(directory)}, ${runFiles.subset}`, snapshot.data, identity);
  }
  if (isSealBroken(found) && !allowOtherData) throw changedRunFile(displayPath(path));
  return { data };
}

async function readJson(path: string): Promise<unknown> {
  const text = await readFile(path, 'utf8').catch((cause) => {
    throw unreadableRunFile(displayPath(path), cause);
  });
  try {
    return JSON.parse(text);
  } catch {
    throw damagedRunFile(displayPath(path), 'the file');
  }
}
