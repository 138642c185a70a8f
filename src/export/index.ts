import type { Backend } from '../backend/load.ts';
import type { TrainedRun } from '../trained/open.ts';
import { type Classifier, recordClassifier } from './classifier.ts';
import { type Agreement, compareLogits, openGraph, openTfjs } from './compare.ts';
import { type ExportedFile, expectFree, RECORD, writeFolder } from './files.ts';
import { type ImageType, onnxModel } from './onnx/index.ts';
import { preprocessingFiles } from './preprocessing-files.ts';
import { savedModel } from './saved-model.ts';
import { tfjsModel } from './tfjs.ts';

/** What a classifier can be written as. */
export const formats = ['saved-model', 'tfjs', 'onnx'] as const;
export type Format = (typeof formats)[number];

/** What to write, and where. */
export interface ExportOptions {
  format: Format;
  /** New or empty. */
  folder: string;
  /** Replaces an export that is there; a folder that holds anything else is refused as ever. Default: no. */
  force?: boolean;
  /** Type of the images that ONNX takes, uint8 by default; the other formats take both. */
  images?: ImageType;
}

/** What an export left. */
export interface Exported extends Agreement {
  files: readonly { path: string; bytes: number }[];
}

const writers: Readonly<Record<Format, (classifier: Classifier, options: ExportOptions) => ExportedFile[]>> = {
  'saved-model': savedModel,
  tfjs: tfjsModel,
  onnx: (classifier, { images = 'uint8' }) => onnxModel(classifier, images),
};

/**
 * Writes a trained classifier for other programs: its graph with normalisation and plugins, class names beside it. Before
 * anything is written, the graph is run on random images and compared with the run's own prediction.
 *
 * @throws {TailmixError} EXPORT_EXISTS, EXPORT_BACKEND, EXPORT_BATCH, EXPORT_OP, EXPORT_DIFFERS.
 */
export async function exportRun(run: TrainedRun, backend: Backend, options: ExportOptions): Promise<Exported> {
  const { format, folder, force } = options;
  await expectFree(folder, force);
  const classifier = recordClassifier(run, backend);
  const { classes, imageShape, packShape, interpolation, about } = classifier;
  const own = [...writers[format](classifier, options), ...(await preprocessingFiles(run))];
  const record = { ...about, imageShape, packShape, interpolation, classes, files: own.map(({ path }) => path) };
  const files = [...own, { path: RECORD, content: `${JSON.stringify(record, null, 2)}\n` }];
  const model = format === 'tfjs' ? await openTfjs(files, imageShape) : openGraph(classifier, backend);
  const checked = compareLogits(run, model);
  await writeFolder(folder, files, force);
  const sizes = files.map(({ path, content }) => ({ path, bytes: Buffer.byteLength(content) }));
  return { files: sizes, ...checked };
}
