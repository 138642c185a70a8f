import type { Backend } from '../backend/load.ts';
import { displayPath } from '../errors.ts';
import { openedOnFeatures } from '../trained/errors.ts';
import type { TrainedRun } from '../trained/open.ts';
import { type Classifier, recordClassifier } from './classifier.ts';
import { type Agreement, compareLogits, openGraph, openTfjs } from './compare.ts';
import { int8Format } from './errors.ts';
import { type ExportedFile, expectFree, RECORD, writeFolder } from './files.ts';
import { type Int8Options, type Int8Report, quantizeClassifier } from './int8.ts';
import { mlflowFiles } from './mlflow/index.ts';
import { type ImageType, onnxModel } from './onnx/index.ts';
import { preprocessingFiles } from './preprocessing-files.ts';
import { savedModel } from './saved-model.ts';
import { tfjsModel } from './tfjs.ts';

/** What a classifier can be written as. */
export const formats = ['saved-model', 'tfjs', 'onnx', 'mlflow'] as const;
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
  /** Rounds weights and activations of ONNX to 8 bits; needs the run's images and onnxruntime-node. Default: no. */
  int8?: boolean | Int8Options;
}

/** What an export left. */
export interface Exported extends Agreement {
  files: readonly { path: string; bytes: number }[];
  /** What rounding to 8 bits did; the agreement is that of the model before. */
  int8?: Int8Report;
}

type Writer = (classifier: Classifier, options: ExportOptions) => ExportedFile[] | Promise<ExportedFile[]>;

const writers: Readonly<Record<Format, Writer>> = {
  'saved-model': savedModel,
  tfjs: tfjsModel,
  onnx: (classifier, { images = 'uint8' }) => onnxModel(classifier, images),
  mlflow: async (classifier) => [...onnxModel(classifier, 'uint8'), ...(await mlflowFiles(classifier))],
};

/**
 * Writes a trained classifier for other programs: its graph with normalisation and plugins, class names beside it. Before
 * anything is written, the graph is run on random images and compared with the run's own prediction.
 *
 * @returns what was written; `float`: the model in float32, where what was written is of 8 bits
 * @throws {TailmixError} EXPORT_EXISTS, EXPORT_BACKEND, EXPORT_BATCH, EXPORT_OP, EXPORT_DIFFERS, EXPORT_INT8, EXPORT_IMAGES.
 */
export async function exportRun(
  run: TrainedRun,
  backend: Backend,
  options: ExportOptions & { allowOtherData?: boolean },
): Promise<Exported & { float?: Uint8Array }> {
  const { format, folder, force, images = 'uint8', int8 = false, allowOtherData = false } = options;
  if (int8 && format !== 'onnx') throw int8Format(format);
  if (run.info.features) throw openedOnFeatures(displayPath(run.directory));
  await expectFree(folder, force);
  const classifier = recordClassifier(run, backend);
  const { classes, imageShape, packShape, interpolation, about } = classifier;
  const rounded = int8
    ? await quantizeClassifier(run, classifier, images, { ...(int8 !== true && int8), allowOtherData })
    : null;
  const written = rounded ? onnxModel(classifier, images, rounded.model) : await writers[format](classifier, options);
  const own = [...written, ...(await preprocessingFiles(run))];
  const report = rounded && { int8: rounded.report };
  const record = {
    ...about,
    imageShape,
    packShape,
    interpolation,
    classes,
    files: own.map(({ path }) => path),
    ...report,
  };
  const files = [...own, { path: RECORD, content: `${JSON.stringify(record, null, 2)}\n` }];
  const model = format === 'tfjs' ? await openTfjs(files, imageShape) : openGraph(classifier, backend);
  const checked = compareLogits(run, model);
  await writeFolder(folder, files, force);
  const sizes = files.map(({ path, content }) => ({ path, bytes: Buffer.byteLength(content) }));
  return { files: sizes, ...checked, ...report, ...(rounded && { float: rounded.float }) };
}
