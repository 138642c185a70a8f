import { markInUse } from '../../backend/in-use.ts';
import { rowShape } from '../features.ts';
import { packedRoot } from '../root.ts';
import type { ImageInfo, Split, Subset } from '../types.ts';
import { cacheUnwritable } from './errors.ts';
import { touch } from './pack-images.ts';
import { openPacked, type PackedRow, packedPath, writePacked } from './packed.ts';

/** Rows of features of one subset, as they are packed. */
export interface FeatureSubset {
  /** Hash of all that decides them. */
  key: string;
  /** What it is used for. */
  name: Split['name'];
  /** Of the rows. */
  info: ImageInfo;
  /** Of images. */
  subset: Subset;
}

/**
 * Opens the features of a subset through their packed file.
 *
 * @returns null where there is no whole one.
 */
export async function openFeatures({ key, name, subset }: FeatureSubset, cache = packedRoot()): Promise<Subset | null> {
  const path = packedPath(cache, name, key);
  await markInUse(path);
  const packed = await openPacked(path, key);
  if (packed === null) return null;
  await touch(path);
  const { labels, hashes, pixels, metadata } = packed;
  return asSubset(subset, { name, labels, hashes, pixels: { ...pixels, shape: metadata.shape } });
}

/** Packs the features of a subset, as {@link openFeatures} opens them. */
export async function packFeatures(
  rows: FeatureSubset,
  computed: AsyncIterable<PackedRow>,
  cache = packedRoot(),
): Promise<Subset> {
  const { key, name, info, subset } = rows;
  const path = packedPath(cache, name, key);
  const source = subset.split.packed?.source;
  await writePacked(path, { key, shape: rowShape(info), ...(source && { source }) }, computed);
  const made = await openFeatures(rows, cache);
  if (made === null) throw cacheUnwritable(path);
  return made;
}

/** The features of a subset in memory alone, where nothing says of another run whether they are its own too. */
export async function keepFeatures(
  { name, info, subset }: Omit<FeatureSubset, 'key'>,
  computed: AsyncIterable<PackedRow>,
): Promise<Subset> {
  const shape = rowShape(info);
  const bytes = new SharedArrayBuffer(subset.indices.length * shape[2]);
  const labels: number[] = [];
  const hashes: Uint8Array[] = [];
  for await (const { image, label, hash } of computed) {
    new Uint8Array(bytes).set(image!, labels.length * shape[2]);
    labels.push(label);
    hashes.push(hash!);
  }
  const pixels = { kind: 'memory', bytes, shape } as const;
  return asSubset(subset, { name, labels: Int32Array.from(labels), hashes: Buffer.concat(hashes), pixels });
}

/** Rows in the order of the images, which keep their files and their hash. */
function asSubset(images: Subset, rows: Pick<Split, 'name' | 'labels' | 'hashes' | 'pixels'>): Subset {
  const { files, groups } = images.split;
  const of = <T>(values: readonly T[]): T[] => Array.from(images.indices, (row) => values[row]!);
  return {
    split: { ...rows, ...(files && { files: of(files) }), ...(groups && { groups: of(groups) }) },
    indices: Int32Array.from(images.indices, (_, i) => i),
    hash: images.hash,
    classCounts: images.classCounts,
  };
}
