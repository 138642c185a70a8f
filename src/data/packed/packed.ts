import { createHash } from 'node:crypto';
import { type FileHandle, open } from 'node:fs/promises';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { HASH_BYTES, hashImage } from '../identity.ts';
import type { Shape } from '../transforms/augment.ts';
import type { EncodedImages, PixelSource, Split } from '../types.ts';
import { writeAtomically } from './atomic.ts';

/*
 * A packed file, little-endian (docs/data.md):
 *
 *   0                  magic (8), version u32, zeros up to 4096
 *   4096               images: count × height × width × channels uint8, or encoded files
 *   …                  labels: count × int32
 *   …                  hashes: count × 16 bytes
 *   …                  checksums of pixels: count × u32
 *   …                  bytes of each image: count × u32
 *   …                  metadata: JSON
 *   last 52 bytes      length of the metadata u32, count u32, version u32, SHA-256 of all from labels to metadata (32), magic (8)
 *
 * The footer comes last, so that a file that was cut off anywhere is not one.
 */

const MAGIC = Buffer.from('TAILMIX\n', 'latin1');
const VERSION = 5;
const IMAGES_AT = 4096;
const FOOTER = 52;
/** Files with up to this many bytes of images are read into memory; larger ones stay on disk. */
const MEMORY_LIMIT = 2 ** 30;
const CHUNK = 2 ** 22;
/** Of a checksum, or of a length. */
const UINT32 = 4;
const ROW_BYTES = 4 + HASH_BYTES + 2 * UINT32;

/** What a packed file holds beside pixels and labels. */
export interface PackedMetadata {
  /** Hash of the source files and settings it was made from. */
  key: string;
  shape: Shape;
  count: number;
  /** SHA-256 of all images as they are stored, hex. */
  imagesSha256: string;
  /** How images that are stored as encoded files are decoded; absent where pixels are stored. */
  encoded?: Pick<EncodedImages, 'resize' | 'exif'>;
  /** Source files that could not be read and were left out, relative to the folder of the images. */
  skipped: string[];
  /** Why, for each of them: what its error says after its path. */
  reasons: string[];
  /** What it was packed from; absent where the writer gave none. */
  source?: PackedSource;
}

/** What a packed file was made from. */
export interface PackedSource {
  /** Name of the data set. */
  dataset: string;
  /** Folder of the images, or of the file that lists them; absolute. */
  folder: string;
}

/** An opened packed file. */
export interface Packed {
  metadata: PackedMetadata;
  /** `[count]`. */
  labels: Int32Array;
  /** `[count × 16]`: see {@link hashImage}. */
  hashes: Uint8Array;
  pixels: PixelSource;
}

/** One image on its way into a packed file; null pixels: an unreadable file that is left out. */
export interface PackedRow {
  path: string;
  label: number;
  image: Uint8Array | null;
  /** What it was decoded from. */
  file?: Uint8Array;
  /** Of the file, 16 bytes. Default: of the pixels. */
  hash?: Uint8Array;
  /** Why there are no pixels. */
  reason?: string;
}

/**
 * Writes a packed file: into a temporary one beside it, synced, then renamed. A run that is killed leaves no file of
 * this name.
 *
 * @param rows - images of exactly `shape`, in row order
 */
export async function writePacked(
  path: string,
  { key, shape, source, encoded }: Pick<PackedMetadata, 'key' | 'shape' | 'source' | 'encoded'>,
  rows: AsyncIterable<PackedRow>,
): Promise<void> {
  await writeAtomically(path, async (file) => {
    const labels: number[] = [];
    const hashes: Uint8Array[] = [];
    const checksums: number[] = [];
    const lengths: number[] = [];
    const skipped: string[] = [];
    const reasons: string[] = [];
    const imagesHash = createHash('sha256');
    const head = Buffer.alloc(IMAGES_AT);
    MAGIC.copy(head);
    head.writeUInt32LE(VERSION, MAGIC.length);
    await file.write(head);

    let pending: Uint8Array[] = [];
    let pendingBytes = 0;
    const flush = async (): Promise<void> => {
      const chunk = Buffer.concat(pending);
      imagesHash.update(chunk);
      await file.write(chunk);
      pending = [];
      pendingBytes = 0;
    };
    for await (const { path: name, label, image, file: own, hash, reason = '' } of rows) {
      if (image === null) {
        skipped.push(name);
        reasons.push(reason);
        continue;
      }
      labels.push(label);
      hashes.push(hash ?? hashImage(image));
      checksums.push(crc32(image));
      const stored = (encoded && own) || image;
      lengths.push(stored.length);
      pending.push(stored);
      pendingBytes += stored.length;
      if (pendingBytes >= CHUNK) await flush();
    }
    await flush();

    const metadata: PackedMetadata = {
      key,
      shape,
      count: labels.length,
      imagesSha256: imagesHash.digest('hex'),
      skipped,
      reasons,
      ...(encoded && { encoded }),
      ...(source && { source }),
    };
    const labelBytes = Buffer.alloc(labels.length * 4);
    for (const [row, label] of labels.entries()) labelBytes.writeInt32LE(label, row * 4);
    const numbers = Buffer.alloc(2 * checksums.length * UINT32);
    for (const [i, number] of [...checksums, ...lengths].entries()) numbers.writeUInt32LE(number, i * UINT32);
    const description = Buffer.from(JSON.stringify(metadata));
    const tail = Buffer.concat([labelBytes, ...hashes, numbers, description]);
    const footer = Buffer.alloc(FOOTER);
    footer.writeUInt32LE(description.length, 0);
    footer.writeUInt32LE(labels.length, 4);
    footer.writeUInt32LE(VERSION, 8);
    createHash('sha256').update(tail).digest().copy(footer, 12);
    MAGIC.copy(footer, FOOTER - MAGIC.length);
    await file.write(Buffer.concat([tail, footer]));
  });
}

/** Where a split is packed whose content a key decides. */
export const packedPath = (cache: string, name: Split['name'], key: string): string =>
  join(cache, `${name}-${key.slice(0, 16)}.pack`);

/**
 * Opens a packed file.
 *
 * @param key - what it must have been made from
 * @param memoryLimit - bytes of images up to which they are read into memory (and checked against their hash); above,
 *   they are read by position as they are needed, each image checked against its own checksum
 * @returns null when there is none, or it is of another version or key, cut off or altered: it must be made anew
 */
export async function openPacked(path: string, key: string, memoryLimit = MEMORY_LIMIT): Promise<Packed | null> {
  let file: FileHandle;
  try {
    file = await open(path, 'r');
  } catch {
    return null;
  }
  try {
    const tail = await readTail(file);
    if (tail === null || tail.metadata.key !== key) return null;
    const { checksums, starts, ...packed } = tail;
    const { encoded: how, imagesSha256 } = packed.metadata;
    const encoded = how && { encoded: { path, starts, checksums, ...how } };
    const imagesBytes = starts.at(-1)!;
    if (imagesBytes > memoryLimit) {
      return { ...packed, pixels: { kind: 'file', path, offset: IMAGES_AT, ...(encoded ?? { checksums }) } };
    }
    const bytes = new SharedArrayBuffer(imagesBytes);
    const view = new Uint8Array(bytes);
    if ((await readAndHash(file, view)) !== imagesSha256) return null;
    return { ...packed, pixels: { kind: 'memory', bytes, ...encoded } };
  } finally {
    await file.close();
  }
}

/** What a packed file says of itself; null for what is none, or of another version. */
export async function describePacked(path: string): Promise<PackedMetadata | null> {
  const file = await open(path, 'r').catch(() => null);
  try {
    return file && ((await readTail(file))?.metadata ?? null);
  } finally {
    await file?.close();
  }
}

/** What a packed file says of its images. */
interface Tail extends Omit<Packed, 'pixels'> {
  checksums: Uint32Array;
  /** `[count + 1]`, byte offset of each image among all, and where the last one ends. */
  starts: Float64Array;
}

/** All but the images, or null when it is not whole. Nothing in it is used before its hash is right. */
async function readTail(file: FileHandle): Promise<Tail | null> {
  const { size } = await file.stat();
  if (size < IMAGES_AT + FOOTER) return null;
  const footer = await readAt(file, size - FOOTER, FOOTER);
  if (!footer.subarray(FOOTER - MAGIC.length).equals(MAGIC) || footer.readUInt32LE(8) !== VERSION) return null;
  const count = footer.readUInt32LE(4);
  const rowBytes = ROW_BYTES * count;
  const tailBytes = rowBytes + footer.readUInt32LE(0);
  if (IMAGES_AT + tailBytes + FOOTER > size) return null;
  const tail = await readAt(file, size - FOOTER - tailBytes, tailBytes);
  if (!createHash('sha256').update(tail).digest().equals(footer.subarray(12, 44))) return null;
  const metadata = JSON.parse(tail.toString('utf8', rowBytes)) as PackedMetadata;
  const numberAt = (i: number): number => tail.readUInt32LE((4 + HASH_BYTES) * count + i * UINT32);
  const starts = new Float64Array(new SharedArrayBuffer((count + 1) * Float64Array.BYTES_PER_ELEMENT));
  for (let row = 0; row < count; row++) starts[row + 1] = starts[row]! + numberAt(count + row);
  if (IMAGES_AT + starts[count]! + tailBytes + FOOTER !== size) return null;
  const labels = Int32Array.from({ length: metadata.count }, (_, row) => tail.readInt32LE(row * 4));
  const checksums = new Uint32Array(new SharedArrayBuffer(count * UINT32));
  for (let row = 0; row < count; row++) checksums[row] = numberAt(row);
  const hashes = Uint8Array.from(tail.subarray(4 * count, (4 + HASH_BYTES) * count));
  return { metadata, labels, hashes, checksums, starts };
}

async function readAt(file: FileHandle, position: number, length: number): Promise<Buffer> {
  const buffer = Buffer.alloc(length);
  await file.read(buffer, 0, length, position);
  return buffer;
}

/** Fills `target` from the images of a packed file; returns their SHA-256. */
async function readAndHash(file: FileHandle, target: Uint8Array): Promise<string> {
  const hash = createHash('sha256');
  for (let at = 0; at < target.length; at += CHUNK) {
    const chunk = target.subarray(at, at + CHUNK);
    await file.read(chunk, 0, chunk.length, IMAGES_AT + at);
    hash.update(chunk);
  }
  return hash.digest('hex');
}
