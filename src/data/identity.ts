import { createHash } from 'node:crypto';
import { closeSync, openSync, readSync } from 'node:fs';
import process from 'node:process';
import { messageOf } from '../errors.ts';
import { sizeOf } from '../util/shape.ts';
import { otherData, readFailed, shortRead } from './errors.ts';
import type { ImageInfo, LoadedData, Split, Subset } from './types.ts';

/** What a run was trained and evaluated on, by content: equal where the images are, wherever they lie. */
export interface DataIdentity {
  dataset: string;
  /** In label order. */
  classes: readonly string[];
  /** SHA-256, hex, over the label and content of each image in order: of its file, or of its pixels where it has none. */
  train: string;
  validation: string | null;
  test: string;
}

/** Data that a run's weights have seen and its own data differ from, allowed by `--allow-other-data`. */
export interface OtherData {
  by: 'resume' | 'init';
  data: DataIdentity;
}

/** Identity of the data of a run. */
export const identityOf = ({ info, train, validation, test }: LoadedData): DataIdentity => ({
  dataset: info.name,
  classes: info.classes,
  train: contentOf(train, info),
  validation: validation && contentOf(validation, info),
  test: contentOf(test, info),
});

/** Bytes of an image's hash. */
export const HASH_BYTES = 16;

/** The first 16 bytes of the SHA-256 of an image's file or pixels. */
export const hashImage = (bytes: Uint8Array): Uint8Array =>
  createHash('sha256').update(bytes).digest().subarray(0, HASH_BYTES);

function contentOf({ split, indices }: Subset, { shape }: Pick<ImageInfo, 'shape'>): string {
  const hash = createHash('sha256');
  const label = Buffer.alloc(4);
  const { read, close } = openContent(split, sizeOf(split.pixels.shape ?? shape));
  try {
    for (const row of indices) {
      label.writeInt32LE(split.labels[row] ?? -1);
      hash.update(label).update(read(row));
    }
    return hash.digest('hex');
  } finally {
    close();
  }
}

/** Content of each image of a split, `[N]`: the first 16 bytes of the SHA-256 of its file or pixels, hex. */
export function contentsOf(split: Split, { shape }: Pick<ImageInfo, 'shape'>): string[] {
  const { read, close } = openContent(split, sizeOf(split.pixels.shape ?? shape));
  const hash = split.hashes ? (bytes: Uint8Array) => bytes : hashImage;
  try {
    return Array.from(split.labels, (_, row) => Buffer.from(hash(read(row))).toString('hex'));
  } finally {
    close();
  }
}

/** What stands for the content of an image of a split. */
function openContent({ pixels, hashes }: Split, bytes: number): { read(row: number): Uint8Array; close(): void } {
  if (hashes) return { read: (row) => hashes.subarray(row * HASH_BYTES, (row + 1) * HASH_BYTES), close() {} };
  if (pixels.kind === 'memory') {
    const all = new Uint8Array(pixels.bytes);
    return { read: (row) => all.subarray(row * bytes, (row + 1) * bytes), close() {} };
  }
  const { path, offset } = pixels;
  const attempt = <T>(action: () => T): T => {
    try {
      return action();
    } catch (error) {
      throw readFailed(path, messageOf(error), error);
    }
  };
  const file = attempt(() => openSync(path, 'r'));
  const image = new Uint8Array(bytes);
  return {
    read(row) {
      const got = attempt(() => readSync(file, image, 0, bytes, offset + row * bytes));
      if (got !== bytes) throw shortRead(path, row, bytes, got);
      return image;
    },
    close: () => closeSync(file),
  };
}

/** Parts of an identity, in the words of messages. */
const parts = {
  dataset: 'data set',
  classes: 'classes',
  train: 'training images',
  validation: 'validation images',
  test: 'test images',
} as const;
type Part = keyof typeof parts;

/** An identity as texts to compare, by what messages call them. */
export const textsOf = ({ classes, validation, ...others }: DataIdentity): Record<string, string> => {
  const given: Record<Part, string> = {
    ...others,
    classes: createHash('sha256').update(JSON.stringify(classes)).digest('hex'),
    validation: validation ?? 'none',
  };
  return Object.fromEntries(Object.entries(parts).map(([part, words]) => [words, given[part as Part]]));
};

/** Parts in which two identities differ. */
export const differingParts = (
  a: DataIdentity,
  b: DataIdentity,
  among: readonly Part[] = Object.keys(parts) as Part[],
): Part[] => among.filter((part) => JSON.stringify(a[part]) !== JSON.stringify(b[part]));

/**
 * Refuses data that a checkpoint was not trained on.
 *
 * @param where - what the message begins with
 * @param among - the parts that matter
 * @throws {TailmixError} OTHER_DATA naming both.
 */
export function expectSameData(where: string, trained: DataIdentity, got: DataIdentity, among?: readonly Part[]): void {
  const different = differingParts(trained, got, among);
  if (different.length > 0) throw otherData(where, shown(trained, got, different), shown(got, trained, different));
}

/** Says that a checkpoint holds nothing that its data could be compared with. */
export const warnUncompared = (where: string): void =>
  process.emitWarning(
    `${where}: the checkpoint is of an earlier version and does not hold the hash of the data it was trained on.\n  That the data are the same cannot be checked.`,
    { type: 'TailmixWarning', code: 'DATA_UNCOMPARED' },
  );

const SHOWN = 6;

/** The parts of an identity that differ from another's; of classes the first that do. */
function shown(identity: DataIdentity, other: DataIdentity, different: readonly Part[]): string {
  const briefOf = (part: Part): string => {
    if (part === 'dataset') return `"${identity.dataset}"`;
    if (part !== 'classes') return identity[part]?.slice(0, 12) ?? 'none';
    const names = identity.classes.filter((name, label) => name !== other.classes[label]);
    const more = names.length > SHOWN ? ', …' : '';
    const list = names.length === 0 ? 'fewer' : names.slice(0, SHOWN).join(', ') + more;
    return `${list} (of ${identity.classes.length})`;
  };
  return different.map((part) => `${parts[part]} ${briefOf(part)}`).join(', ');
}
