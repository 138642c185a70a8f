import { closeSync, openSync, readSync } from 'node:fs';
import { internal, messageOf } from '../../errors.ts';
import { readFailed, shortRead } from '../errors.ts';
import type { TransformOptions } from '../options.ts';
import { openAugment, type Shape } from '../transforms/augment.ts';
import type { PixelSource, StepRows } from '../types.ts';

/** What the rows of an epoch are made from. */
export interface FillOptions {
  pixels: PixelSource;
  shape: Shape;
  transforms: readonly TransformOptions[];
  seed: number;
  epoch: number;
}

/** Writes the rows of a step, one image after the other. */
export interface Filler {
  fill(rows: StepRows, target: Uint8Array): void;
  close(): void;
}

/** Opens the images of a split for one epoch. Runs in a worker thread or in the main one, with equal bytes. */
export function openFiller({ pixels, shape, transforms, seed, epoch }: FillOptions): Filler {
  const bytes = shape[0] * shape[1] * shape[2];
  const augment = openAugment(transforms, shape, seed, epoch);
  if (pixels.kind === 'memory') {
    const source = new Uint8Array(pixels.bytes);
    return {
      fill({ indices, positions }, target) {
        for (let i = 0; i < indices.length; i++) {
          const from = indices[i]! * bytes;
          if (!(from >= 0 && from + bytes <= source.length)) throw internal(`row ${indices[i]} is not in the split`);
          augment(source, from, target, i * bytes, positions[i]!);
        }
      },
      close() {},
    };
  }
  const { path, offset } = pixels;
  const file = attempt(path, () => openSync(path, 'r'));
  const image = new Uint8Array(bytes);
  return {
    fill({ indices, positions }, target) {
      for (let i = 0; i < indices.length; i++) {
        const read = attempt(path, () => readSync(file, image, 0, bytes, offset + indices[i]! * bytes));
        if (read !== bytes) throw shortRead(path, indices[i]!, bytes, read);
        augment(image, 0, target, i * bytes, positions[i]!);
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
