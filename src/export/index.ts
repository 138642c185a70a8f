import type { Backend } from '../backend/load.ts';
import { predictLogits } from '../predict.ts';
import { randomStream } from '../random.ts';
import { openSession } from '../step/captured/session.ts';
import type { TrainedRun } from '../trained.ts';
import { type Classifier, recordClassifier } from './classifier.ts';
import { exportDiffers } from './errors.ts';
import { type ExportedFile, expectFree, writeFolder } from './files.ts';
import { savedModel } from './saved-model.ts';
import { tfjsModel } from './tfjs.ts';

/** What a classifier can be written as. */
export const formats = ['saved-model', 'tfjs'] as const;
export type Format = (typeof formats)[number];

/** What an export left. */
export interface Exported {
  files: readonly { path: string; bytes: number }[];
  /** Largest difference between the logits of the graph and of the run, and the largest of these, on random images. */
  difference: number;
  largest: number;
}

/** Logits may differ by this share of the largest: float32, summed in another order. */
const TOLERANCE = 1e-4;

const writers: Readonly<Record<Format, (classifier: Classifier) => ExportedFile[]>> = {
  'saved-model': savedModel,
  tfjs: tfjsModel,
};

/**
 * Writes a trained classifier for other programs: its graph with normalisation and plugins, class names beside it. Before
 * anything is written, the graph is run on random images and compared with the run's own prediction.
 *
 * @param folder new or empty.
 * @throws {TailmixError} EXPORT_EXISTS, EXPORT_BACKEND, EXPORT_BATCH, EXPORT_OP, EXPORT_DIFFERS.
 */
export async function exportRun(run: TrainedRun, backend: Backend, format: Format, folder: string): Promise<Exported> {
  await expectFree(folder);
  const classifier = recordClassifier(run, backend);
  const checked = compare(run, classifier, backend);
  const { classes, imageShape, about } = classifier;
  const files = [
    ...writers[format](classifier),
    { path: 'classes.json', content: `${JSON.stringify({ ...about, imageShape, classes }, null, 2)}\n` },
  ];
  await writeFolder(folder, files);
  const sizes = files.map(({ path, content }) => ({ path, bytes: Buffer.byteLength(content) }));
  return { files: sizes, ...checked };
}

/** Runs the graph on one image and on three. */
function compare(
  run: TrainedRun,
  classifier: Classifier,
  { binding }: Backend,
): Pick<Exported, 'difference' | 'largest'> {
  const [model] = savedModel(classifier);
  const session = openSession(binding!, model!.content as Uint8Array);
  const size = classifier.imageShape.reduce((a, b) => a * b, 1);
  const random = randomStream('export');
  const images = Array.from({ length: 3 }, () => Uint8Array.from({ length: size }, () => 256 * random.uniform()));
  try {
    const logitsOf = (rows: readonly Uint8Array[]): Float32Array => {
      const shape = [rows.length, ...classifier.imageShape];
      const feed = { name: 'images:0', shape, values: new Uint8Array(Buffer.concat(rows)) };
      return session.run([feed], ['logits:0'])[0]!.values as Float32Array;
    };
    const got = [...logitsOf(images.slice(0, 1)), ...logitsOf(images)];
    const own = predictLogits(run, images);
    const expected = [own[0]!, ...own].flatMap((logits) => [...logits]);
    const largest = Math.max(...expected.map(Math.abs));
    const difference = Math.max(...expected.map((logit, i) => Math.abs(logit - got[i]!)));
    if (!(difference <= TOLERANCE * largest)) throw exportDiffers(difference, largest);
    return { difference, largest };
  } finally {
    session.dispose();
  }
}
