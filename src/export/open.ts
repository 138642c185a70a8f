import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import type { Backend } from '../backend/load.ts';
import { interpolations } from '../data/transforms/resample.ts';
import { displayPath, messageOf, TailmixError } from '../errors.ts';
import type { Network } from '../trained/network.ts';
import { openSavedModel, openTfjs } from './compare.ts';
import { damagedExport, savedModelBackend } from './errors.ts';
import { RECORD } from './files.ts';
import { photoGeometry } from './geometry.ts';
import type { Format } from './index.ts';
import { MLMODEL } from './mlflow/index.ts';
import { openOnnx } from './onnx/runtime.ts';

/** An exported classifier, as its files say. */
export interface ExportAbout {
  /** Absolute or as given. */
  folder: string;
  format: Format;
  /** Name of the run that it is from, and the epoch of its checkpoint. */
  name: string;
  epoch: number;
}

const ONNX = 'model.onnx';

/** Files by which a format is known; that of MLflow holds `model.onnx` too. */
const marks: Readonly<Record<Format, string>> = {
  'saved-model': 'saved_model.pb',
  tfjs: 'model.json',
  mlflow: MLMODEL,
  onnx: ONNX,
};

/** Whether ONNX Runtime computes it. */
export const isOnnx = (format: Format): boolean => format === 'onnx' || format === 'mlflow';

const PREPROCESSING = 'preprocessing.json';

const shape = z.tuple([z.int().positive(), z.int().positive(), z.int().positive()]);
const classesFile = z.object({
  name: z.string(),
  epoch: z.int(),
  classes: z.array(z.string()).min(1),
  imageShape: shape,
  packShape: shape.optional(),
  interpolation: z.enum(interpolations).optional(),
});
const preprocessingFile = z.object({ version: z.literal(2), exif: z.enum(['honour', 'ignore']) });

/** Whether a folder holds an exported classifier. */
export const isExport = (folder: string): boolean => existsSync(join(folder, RECORD));

/** What an export is, without its weights. */
export async function describeExport(
  folder: string,
): Promise<{ about: ExportAbout } & Omit<Network, 'run' | 'dispose'>> {
  const { name, epoch, classes, imageShape, packShape, interpolation } = await readChecked(folder, RECORD, classesFile);
  const sizes = { imageShape, ...(packShape && { packShape }), ...(interpolation && { interpolation }) };
  const isOfPhotos = photoGeometry(sizes) !== null;
  const { exif } = isOfPhotos
    ? await readChecked(folder, PREPROCESSING, preprocessingFile)
    : { exif: 'honour' as const };
  const format = (Object.keys(marks) as Format[]).find((each) => existsSync(join(folder, marks[each])));
  if (format === undefined)
    throw damagedExport(displayPath(folder), `one of ${Object.values(marks).join(', ')}`, 'none');
  return { about: { folder, format, name, epoch }, classes, ...sizes, exif };
}

/**
 * The network of an exported classifier. ONNX runs in onnxruntime-node, which must be installed; the others on the backend.
 *
 * @throws {TailmixError} EXPORT_DAMAGED, EXPORT_BACKEND, ONNX_RUNTIME
 */
export async function openExport(
  {
    about: { folder, format },
    imageShape,
    classes,
  }: Pick<Network, 'imageShape' | 'classes'> & { about: Pick<ExportAbout, 'folder' | 'format'> },
  backend: Backend | null,
): Promise<Pick<Network, 'run' | 'dispose'>> {
  const path = join(folder, isOnnx(format) ? ONNX : marks[format]);
  try {
    if (isOnnx(format)) return await openOnnx(path, path, imageShape);
    if (format === 'tfjs') return await openTfjs(await tfjsFiles(folder), imageShape);
    if (backend?.binding === undefined) throw savedModelBackend(displayPath(folder), backend?.name ?? 'none');
    return openSavedModel(await readFile(path), imageShape, backend.binding);
  } catch (error) {
    if (error instanceof TailmixError) throw error;
    throw damagedExport(
      displayPath(path),
      `a model of ${classes.length} classes`,
      JSON.stringify(messageOf(error)),
      error,
    );
  }
}

async function tfjsFiles(folder: string) {
  const content = await readFile(join(folder, marks.tfjs), 'utf8');
  const { weightsManifest } = JSON.parse(content) as { weightsManifest: { paths: string[] }[] };
  const paths = weightsManifest.flatMap((group) => group.paths);
  const shards = await Promise.all(paths.map(async (path) => ({ path, content: await readFile(join(folder, path)) })));
  return [{ path: marks.tfjs, content }, ...shards];
}

async function readChecked<T>(folder: string, file: string, schema: z.ZodType<T>): Promise<T> {
  const where = displayPath(join(folder, file));
  let value: unknown;
  try {
    value = JSON.parse(await readFile(join(folder, file), 'utf8'));
  } catch (error) {
    throw damagedExport(where, 'a file of JSON', 'none, or another', error);
  }
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw damagedExport(
    where,
    `\`${parsed.error.issues[0]!.path.join('.')}\` as \`tailmix export\` writes it`,
    'none, or another',
  );
}
