import { createHash } from 'node:crypto';
import { resolve } from 'node:path';
import { type Backend, holdBackend } from '../backend/load.ts';
import { featureInfo, rowShape, rowValues } from '../data/features.ts';
import { contentsOf, HASH_BYTES } from '../data/identity.ts';
import { readRows } from '../data/inspect/scan.ts';
import type { DataInput } from '../data/options.ts';
import { type FeatureSubset, keepFeatures, openFeatures, packFeatures } from '../data/packed/pack-features.ts';
import type { PackedRow } from '../data/packed/packed.ts';
import type { ImageInfo, LoadedData, ReadProgress, Split, Subset } from '../data/types.ts';
import { isModelChoice } from '../models/definition.ts';
import { headModel } from '../models/features.ts';
import { openModel, startOf } from '../models/open.ts';
import { modelSection } from '../models/options.ts';
import { publishedOf } from '../models/published/read.ts';
import type { Model } from '../models/types.ts';
import { deviceOf } from '../step/index.ts';
import { keepBackbone } from '../tracking/backbone.ts';
import { evenly } from '../util/evenly.ts';
import { without } from '../util/without.ts';
import { version } from '../version.ts';
import { checksumWeights } from '../weights/checksum.ts';
import { backboneValues, type Values } from './backbone-values.ts';
import { featuresAugment, featuresNorm, featuresNotFinite } from './errors.ts';
import { evaluationBatch } from './evaluate.ts';
import { beforeSteps, openFeatureEngine } from './feature-engine.ts';
import type { Settings, TrainerOptions } from './prepare.ts';

/** Goes up when the same network and images give other features. */
const COMPUTING = 1;

/** Whether a run trains on features. */
export const wantsFeatures = ({ data }: Pick<TrainerOptions, 'data'>): boolean =>
  !('train' in data) && data.features === true;

/**
 * Refuses what a run on features cannot have.
 *
 * @throws {TailmixError} FEATURES_AUGMENT, FEATURES_NORM
 */
export function checkFeatures({ data, model, start }: TrainerOptions): void {
  const { augment = [] } = data as DataInput;
  if (augment.length > 0) throw featuresAugment(augment.map(({ name }) => name));
  if ((start?.frozenNorm ?? startOf(model).frozenNorm) === 'batch') throw featuresNorm();
}

/** Keeps the file of weights that features were computed with: a run that is recorded holds the classifier alone. */
export async function keepFile({ model, directory }: TrainerOptions): Promise<void> {
  const published = publishedOf(startOf(model));
  if (directory === undefined || !published?.sha256) return;
  await keepBackbone({ ...published, sha256: published.sha256, path: resolve(published.file) });
}

/**
 * The features of a run's images: what its network gives the classifier, with the weights that the run begins with. They are
 * computed once and packed, each subset in a file of its own.
 *
 * @throws {TailmixError} FEATURES_HEAD, FEATURES_NOT_FINITE, and what opening model and weights throws.
 */
export async function featuresOf(
  { resume: _, ...options }: TrainerOptions,
  settings: Pick<Settings, 'seed' | 'train' | 'evaluate' | 'workers'>,
  images: LoadedData,
): Promise<LoadedData> {
  const { backend, release } = await holdBackend(options.backend);
  try {
    const { info } = images;
    const { classes, shape, mean, std } = info;
    const base = await openModel(
      options.model,
      { classes: classes.length, imageShape: shape, mean, std },
      options.backend,
    );
    headModel(base);
    const values = once(() => backboneValues(options, base, { seed: settings.seed, classes }));
    const model = await modelKey(options, values);
    const rowInfo = featureInfo(info, base.name, base.featureSize);
    const train = beforeSteps(settings.train, options.recordings, backend);
    const device = await deviceOf(train, backend);
    const computer = once(async () =>
      openComputer(base, await values(), { images, settings: { ...settings, train }, backend }),
    );
    const featuresOfSubset = async (name: Split['name'], subset: Subset): Promise<Subset> => {
      const rows: Omit<FeatureSubset, 'key'> = { name, info: rowInfo, subset };
      const compute = async () => (await computer()).compute(name, subset, options.onDataProgress);
      const pixels = pixelsOf(subset);
      if (model === null || pixels === null) return keepFeatures(rows, await compute());
      const { precision, matmul } = train;
      const { packShape = shape } = info;
      const key = hashOf({
        ...{ computing: COMPUTING, version, model, backend: backend.name, precision },
        ...{ pixels, shape, packShape, mean, std },
        ...(device && { device: [device.platform, device.kind], matmul }),
      });
      return (await openFeatures({ ...rows, key })) ?? packFeatures({ ...rows, key }, await compute());
    };
    try {
      return {
        info: rowInfo,
        train: await featuresOfSubset('train', images.train),
        validation: images.validation && (await featuresOfSubset('validation', images.validation)),
        test: await featuresOfSubset('test', images.test),
        augment: [],
        skipped: images.skipped,
      };
    } finally {
      await computer.close((opened) => opened.close());
    }
  } finally {
    release();
  }
}

/**
 * What decides a network and its weights, but for the classifier; null where a part of it is code of the user's own, which may
 * change.
 */
async function modelKey({ model, start }: TrainerOptions, values: () => Promise<Values>): Promise<unknown> {
  if (typeof model === 'function' || isModelChoice(model) || 'forward' in model) return null;
  const section = modelSection.parse(model);
  const { init } = section;
  const network = without(section, ...OF_THE_RUN);
  const published = publishedOf(section);
  const isPinned = start?.init === undefined && start?.from === undefined;
  if (isPinned && published)
    return { ...network, weights: published.sha256 ?? (await checksumWeights(published.file)) };
  if (isPinned && typeof init === 'object' && init.sha256) return { ...network, weights: init.sha256 };
  const hash = createHash('sha256');
  for (const [name, array] of Object.entries(await values())) {
    if (name.startsWith('classifier/')) continue;
    hash.update(name).update(new Uint8Array(array.buffer, array.byteOffset, array.byteLength));
  }
  return { ...network, values: hash.digest('hex') };
}

/** What of a model is no part of the network that computes features; its weights are told by their content. */
const OF_THE_RUN = ['head', 'bias', 'scale', 'init', 'reset', 'freeze', 'frozenNorm', 'weights', 'path'];

const hashOf = (value: unknown): string => createHash('sha256').update(JSON.stringify(value)).digest('hex');

/**
 * What decides the pixels of a subset: the images as they are stored, how such are decoded, and which of them. Null for a file
 * that somebody else may change.
 */
function pixelsOf({ split: { packed, pixels }, hash }: Subset): unknown {
  const { shape, scale, encoded } = pixels;
  const decoding = encoded && { ...encoded, path: undefined, starts: undefined, checksums: undefined };
  const stored = { shape, scale, rows: hash, decoding };
  if (packed) return { ...stored, images: packed.imagesSha256 };
  if (pixels.kind === 'file') return null;
  return { ...stored, images: createHash('sha256').update(new Uint8Array(pixels.bytes)).digest('hex') };
}

/** A network that is ready to compute features. */
interface Computer {
  compute(name: Split['name'], subset: Subset, onProgress?: ReadProgress): AsyncGenerator<PackedRow>;
  close(): Promise<void>;
}

async function openComputer(
  base: Model,
  values: Values,
  {
    images: { info },
    settings: { train, evaluate, workers },
    backend,
  }: {
    images: LoadedData;
    settings: Pick<Settings, 'train' | 'evaluate' | 'workers'>;
    backend: Backend;
  },
): Promise<Computer> {
  const { shape: imageShape, mean, std } = info;
  const size = base.featureSize;
  const bytesOfRow = rowShape(featureInfo(info, base.name, size))[2];
  const evaluateBatchSize = evaluationBatch(evaluate, { imageShape, batchSize: 1 }, Number.POSITIVE_INFINITY);
  const engine = await openFeatureEngine(base, {
    program: { seed: 0, imageShape, mean, std, evaluateBatchSize, initial: values },
    loader: { shape: imageShape, augment: [], mean, seed: 0, workers },
    backend,
    train,
  });
  return {
    async *compute(name, subset, onProgress = () => {}) {
      const { split, indices } = subset;
      const bytes = indices.length * bytesOfRow;
      let done = 0;
      const contents = split.hashes ? [] : contentsOf(split, info);
      for await (const rows of engine.featuresOf(subset)) {
        for (const [i, label] of rows.labels.entries()) {
          const row = rows.features.slice(i * size, (i + 1) * size);
          const path = split.files?.[rows.indices[i]!] ?? `${split.name} ${rows.indices[i]}`;
          const odd = row.find((value) => !Number.isFinite(value));
          if (odd !== undefined) throw featuresNotFinite(path, base.name, odd);
          const hash = split.hashes
            ? split.hashes.subarray(rows.indices[i]! * HASH_BYTES, (rows.indices[i]! + 1) * HASH_BYTES)
            : Buffer.from(contents[rows.indices[i]!]!, 'hex');
          yield { path, label, image: new Uint8Array(row.buffer), hash };
        }
        done += rows.labels.length;
        onProgress({ split: name, done, total: indices.length, bytes, backbone: base.name });
      }
    },
    close: () => engine.close(),
  };
}

/** Calls a function when it is first needed, and never again. */
function once<T>(
  make: () => Promise<T>,
): (() => Promise<T>) & { close(end: (made: T) => Promise<void>): Promise<void> } {
  let made: Promise<T> | null = null;
  return Object.assign(() => (made ??= make()), {
    close: async (end: (made: T) => Promise<void>) => {
      if (made !== null) await made.then(end, () => {});
    },
  });
}

/** Rows that a mean is taken over at most. */
const SAMPLE = 4096;

/** Mean squared length of the rows of a subset, of at most 4096 of them, spread evenly. */
export async function meanSquare(info: ImageInfo, { split, indices }: Subset): Promise<number> {
  const shape = rowShape(info);
  const sample = evenly(indices.length, Math.min(SAMPLE, indices.length)).map((at) => indices[at]!);
  const rows = await readRows(split, shape, sample);
  const squares = (before: number, row: Uint8Array): number =>
    (rowValues(row, true) as Float32Array).reduce((sum, value) => sum + value * value, before);
  return rows.reduce(squares, 0) / sample.length;
}
