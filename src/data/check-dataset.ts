import { stat } from 'node:fs/promises';
import { z } from 'zod';
import { messageOf } from '../errors.ts';
import { sizeOf } from '../util/shape.ts';
import { datasetGave, readFailed } from './errors.ts';
import { splitsOf } from './subset.ts';
import { interpolations } from './transforms/resample.ts';
import type { DatasetImages, DatasetInfo, Split } from './types.ts';

const shape = z.tuple([z.int().positive(), z.int().positive(), z.int().positive()]);
const count = z.int().min(0);

const imageInfo = z.object({
  name: z.string(),
  classes: z.array(z.string()).min(1),
  shape,
  packShape: shape.optional(),
  keptShape: shape.optional(),
  interpolation: z.enum(interpolations).optional(),
  mean: z.array(z.number()),
  std: z.array(z.number().positive()),
});

const datasetInfo = imageInfo.extend({
  fullCounts: z.union([
    z.array(count),
    z.object({ total: count, largest: count, smallest: count, source: z.string() }),
  ]),
  testCount: count,
  validationCount: count.optional(),
});

const kept = {
  shape: shape.optional(),
  scale: z.object({ shape, interpolation: z.enum(interpolations) }).optional(),
};

const split = z.object({
  labels: z.instanceof(Int32Array),
  pixels: z.union([
    z.object({ kind: z.literal('memory'), bytes: z.instanceof(SharedArrayBuffer), ...kept }),
    z.object({
      kind: z.literal('file'),
      path: z.string(),
      offset: count,
      ...kept,
      checksums: z.instanceof(Uint32Array).optional(),
    }),
  ]),
});

const images = z.object({ info: imageInfo, train: split, test: split.optional(), validation: split.optional() });

/**
 * Checks what the `describe` of a user's data set gave.
 *
 * @throws {TailmixError} DATA_MODULE
 */
export function checkInfo(name: string, info: DatasetInfo): void {
  checkForm(name, 'describe', datasetInfo, info);
  const { fullCounts, classes } = info;
  if ('length' in fullCounts && fullCounts.length !== classes.length) {
    const expected = `${classes.length} fullCounts, one per class`;
    throw datasetGave(name, 'describe', expected, String(fullCounts.length));
  }
}

/**
 * Checks what the `read` of a user's data set gave: a label of no class, or pixels that are not there, would end a run in its
 * middle.
 *
 * @throws {TailmixError} DATA_MODULE; DATA_READ for a file of pixels that is not there
 */
export async function checkImages(name: string, found: DatasetImages): Promise<void> {
  checkForm(name, 'read', images, found);
  const { classes } = found.info;
  for (const split of splitsOf(found)) {
    const wrong = split.labels.findIndex((label) => !(label >= 0 && label < classes.length));
    if (wrong >= 0) {
      const expected = `labels from 0 to ${classes.length - 1}, one of ${classes.length} classes`;
      throw datasetGave(name, 'read', expected, `${split.labels[wrong]} for image ${wrong} of ${split.name}`);
    }
    const bytes = split.labels.length * sizeOf(split.pixels.shape ?? found.info.shape);
    const { has, exact } = await bytesOf(split);
    if (exact ? has !== bytes : has < bytes) {
      const expected = `${bytes} bytes of pixels for the ${split.labels.length} images of ${split.name}`;
      throw datasetGave(name, 'read', expected, String(has));
    }
  }
}

/** How many bytes there are for images; a file may hold more behind them. */
async function bytesOf({ pixels }: Split): Promise<{ has: number; exact: boolean }> {
  if (pixels.kind === 'memory') return { has: pixels.bytes.byteLength, exact: true };
  const { size } = await stat(pixels.path).catch((error: unknown) => {
    throw readFailed(pixels.path, messageOf(error), error);
  });
  return { has: size - pixels.offset, exact: false };
}

function checkForm(name: string, call: 'describe' | 'read', form: z.ZodType, found: unknown): void {
  const { error } = form.safeParse(found);
  if (error === undefined) return;
  const { path, message } = error.issues[0]!;
  const expected = { describe: 'class names, shape, mean, std and counts', read: 'info and train' }[call];
  throw datasetGave(name, call, expected, `${path.length > 0 ? `${path.join('.')}: ` : ''}${message}`);
}
