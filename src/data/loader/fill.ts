import { closeSync, openSync, readSync } from 'node:fs';
import { crc32 } from 'node:zlib';
import { internal, messageOf } from '../../errors.ts';
import { imageChanged, readFailed, shortRead } from '../errors.ts';
import { openAugment, type Shape } from '../transforms/augment.ts';
import type { TransformOptions } from '../transforms/options.ts';
import type { PixelSource, StepRows } from '../types.ts';

/** What the rows of an epoch are made from. */
export interface FillOptions {
  pixels: PixelSource;
  /** Of what comes out. */
  shape: Shape;
  transforms: readonly TransformOptions[];
  /** Mean colour of the data set, of pixels in 0…1. */
  mean?: readonly number[] | undefined;
  seed: number;
  epoch: number;
}

/** Writes the rows of a step, one image after the other. */
export interface Filler {
  fill(rows: StepRows, target: Uint8Array): void;
  close(): void;
}

/** Opens the images of a split for one epoch. Runs in a worker thread or in the main one, with equal bytes. */
export function openFiller({ pixels, shape, transforms, mean = [], seed, epoch }: FillOptions): Filler {
  const stored = pixels.shape ?? shape;
  const bytes = stored[0] * stored[1] * stored[2];
  const bytesOut = shape[0] * shape[1] * shape[2];
  const augment = openAugment(transforms, stored, seed, epoch, { target: shape, mean });
  if (pixels.kind === 'memory') {
    const source = new Uint8Array(pixels.bytes);
    return {
      fill({ indices, positions }, target) {
        for (let i = 0; i < indices.length; i++) {
          const from = indices[i]! * bytes;
          if (!(from >= 0 && from + bytes <= source.length)) throw internal(`row ${indices[i]} is not in the split`);
          augment(source, from, target, i * bytesOut, positions[i]!);
        }
      },
      close() {},
    };
  }
  const { path, offset, checksums } = pixels;
  const file = attempt(path, () => openSync(path, 'r'));
  const image = new Uint8Array(bytes);
  return {
    fill({ indices, positions }, target) {
      for (let i = 0; i < indices.length; i++) {
        const row = indices[i]!;
        const read = attempt(path, () => readSync(file, image, 0, bytes, offset + row * bytes));
        if (read !== bytes) throw shortRead(path, row, bytes, read);
        if (checksums && crc32(image) !== checksums[row]) throw imageChanged(path, row);
        augment(image, 0, target, i * bytesOut, positions[i]!);
      }
    },
    close: () => closeSync(file),
  };
}

function attempt<T>(path: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw readFailed(path, messageOf(error), error);
  }
}
