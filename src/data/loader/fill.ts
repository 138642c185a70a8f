import { closeSync, openSync, readSync } from 'node:fs';
import { crc32 } from 'node:zlib';
import { internal, messageOf } from '../../errors.ts';
import { imageChanged, readFailed, shortRead } from '../errors.ts';
import { decodePackedFile, IN_FLIGHT } from '../packed/decode.ts';
import { type Crops, openAugment, type Shape } from '../transforms/augment.ts';
import type { TransformOptions } from '../transforms/options.ts';
import type { EncodedImages, PixelSource, StepRows } from '../types.ts';

/** What the rows of an epoch are made from. */
export interface FillOptions {
  pixels: PixelSource;
  /** Of what comes out. */
  shape: Shape;
  transforms: readonly TransformOptions[];
  /** Mean colour of the data set, of pixels in 0…1. */
  mean?: readonly number[] | undefined;
  /** What is cut out of an image that is larger after its transforms. */
  crops?: Crops | undefined;
  seed: number;
  /** Of the run, counts from 1. */
  epoch: number;
  /** Epochs of the run: some transforms change with its course. Default: 1. */
  epochs?: number | undefined;
  /** Rows from elsewhere, which {@link StepRows.sources} tells apart. Default: none. */
  others?: readonly OtherSource[] | undefined;
}

/** Where rows of another source lie, and what is done to them. */
export interface OtherSource extends Pick<FillOptions, 'pixels' | 'transforms'> {
  /** Name of their random numbers. */
  key: string;
  /** Whether {@link StepRows.strengths} are theirs too. */
  isWeakened: boolean;
}

/** Writes the rows of a step, one image after the other; files that must be decoded several at once. */
export interface Filler {
  fill(rows: StepRows, target: Uint8Array): void | Promise<void>;
  close(): void;
}

/** Opens the images of a split for one epoch. Runs in a worker thread or in the main one, with equal bytes. */
export function openFiller({ others = [], ...options }: FillOptions): Filler {
  const own = openSource(options);
  if (others.length === 0) return own;
  const all = [own, ...others.map((other) => openSource({ ...options, ...other }))];
  const bytes = options.shape[0] * options.shape[1] * options.shape[2];
  return {
    async fill({ indices, positions, sources, strengths }, target) {
      for (let from = 0, to = 0; from < indices.length; from = to) {
        const source = sources?.[from] ?? 0;
        while (to < indices.length && (sources?.[to] ?? 0) === source) to++;
        const isWeakened = strengths && (source === 0 || others[source - 1]!.isWeakened);
        const pending = all[source]!.fill(
          {
            indices: indices.subarray(from, to),
            positions: positions.subarray(from, to),
            ...(isWeakened && { strengths: strengths.subarray(from, to) }),
          },
          target.subarray(from * bytes, to * bytes),
        );
        if (pending) await pending;
      }
    },
    close() {
      for (const { close } of all) close();
    },
  };
}

function openSource({
  pixels,
  shape,
  transforms,
  mean,
  crops,
  seed,
  epoch,
  epochs,
  key,
}: FillOptions & { key?: string }): Filler {
  const stored = pixels.shape ?? shape;
  const bytes = stored[0] * stored[1] * stored[2];
  const bytesOut = shape[0] * shape[1] * shape[2];
  const augment = openAugment(transforms, stored, seed, epoch, {
    target: shape,
    mean,
    crops,
    scale: pixels.scale,
    epochs,
    key,
  });
  if (pixels.encoded) {
    const { encoded } = pixels;
    const { read, close } = openFiles(pixels, encoded);
    return {
      async fill({ indices, positions, strengths }, target) {
        for (let first = 0; first < indices.length; first += IN_FLIGHT) {
          const rows = [...indices.subarray(first, first + IN_FLIGHT)];
          // All must have ended when one throws: the file is closed then.
          const images = await Promise.allSettled(rows.map((row) => decodeRow(read(row), row, stored, encoded)));
          for (const [i, image] of images.entries()) {
            if (image.status === 'rejected') throw image.reason;
            augment(image.value, 0, target, (first + i) * bytesOut, positions[first + i]!, strengths?.[first + i]);
          }
        }
      },
      close,
    };
  }
  if (pixels.kind === 'memory') {
    const source = new Uint8Array(pixels.bytes);
    return {
      fill({ indices, positions, strengths }, target) {
        for (let i = 0; i < indices.length; i++) {
          const from = indices[i]! * bytes;
          if (!(from >= 0 && from + bytes <= source.length)) throw internal(`row ${indices[i]} is not in the split`);
          augment(source, from, target, i * bytesOut, positions[i]!, strengths?.[i]);
        }
      },
      close() {},
    };
  }
  const { path, offset, checksums } = pixels;
  const file = attempt(path, () => openSync(path, 'r'));
  const image = new Uint8Array(bytes);
  return {
    fill({ indices, positions, strengths }, target) {
      for (let i = 0; i < indices.length; i++) {
        const row = indices[i]!;
        const read = attempt(path, () => readSync(file, image, 0, bytes, offset + row * bytes));
        if (read !== bytes) throw shortRead(path, row, bytes, read);
        if (checksums && crc32(image) !== checksums[row]) throw imageChanged(path, row);
        augment(image, 0, target, i * bytesOut, positions[i]!, strengths?.[i]);
      }
    },
    close: () => closeSync(file),
  };
}

/** Content of the files that a source holds. */
function openFiles(
  pixels: PixelSource,
  { starts }: EncodedImages,
): { read(row: number): Buffer<ArrayBuffer>; close(): void } {
  const span = (row: number): { from: number; length: number } => {
    const [from, to] = [starts[row], starts[row + 1]];
    if (from === undefined || to === undefined) throw internal(`row ${row} is not in the split`);
    return { from, length: to - from };
  };
  if (pixels.kind === 'memory') {
    const { bytes } = pixels;
    const read = (row: number): Buffer<ArrayBuffer> => {
      const { from, length } = span(row);
      return Buffer.from(new Uint8Array(bytes, from, length));
    };
    return { read, close() {} };
  }
  const { path, offset } = pixels;
  const file = attempt(path, () => openSync(path, 'r'));
  return {
    read(row) {
      const { from, length } = span(row);
      const content = Buffer.alloc(length);
      const got = attempt(path, () => readSync(file, content, 0, length, offset + from));
      if (got !== length) throw shortRead(path, row, length, got);
      return content;
    },
    close: () => closeSync(file),
  };
}

async function decodeRow(
  bytes: Buffer,
  row: number,
  shape: Shape,
  { path, checksums, ...how }: EncodedImages,
): Promise<Uint8Array> {
  const image = await decodePackedFile(bytes, shape, how).catch(() => null);
  if (image === null || crc32(image) !== checksums[row]) throw imageChanged(path, row);
  return image;
}

function attempt<T>(path: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw readFailed(path, messageOf(error), error);
  }
}
