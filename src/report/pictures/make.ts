import { readRows } from '../../data/inspect/scan.ts';
import type { Shape } from '../../data/transforms/augment.ts';
import type { Split, Subset } from '../../data/types.ts';
import { readPixels } from '../../train/prepare.ts';
import { classify, type Mistake, mistakesOf } from '../../trained/mistakes.ts';
import { mixedBatch } from '../../trained/mixed.ts';
import { neighboursOf } from '../../trained/neighbours.ts';
import type { TrainedRun } from '../../trained/open.ts';
import { evaluatePlane, isInThePlane } from '../../trained/plane.ts';
import { splitOf } from '../../trained/split.ts';
import { canShow } from '../sheet.ts';
import { encodePicture } from './encode.ts';
import type { Pictures } from './file.ts';

/** Wrong images of a class, classes, and nearest training images of each. */
const [OF_A_CLASS, CLASSES, NEAREST] = [2, 20, 3];

/**
 * Makes the pictures of a run: a sample of what it was trained on, its most confident mistakes with the nearest training images, and for
 * points in the plane its decision boundary. What a run has none of is null.
 *
 * @param run - opened with `readImages`; its backend must be loaded
 */
export async function makePictures(run: TrainedRun, allowOtherData = false): Promise<Pictures> {
  const { subset } = splitOf(run, 'test', allowOtherData);
  const { features, imageShape } = run.info;
  const shows = canShow(features?.images.shape ?? imageShape);
  return {
    configHash: run.snapshot.configHash,
    subsetHash: run.data.train.hash,
    epoch: run.snapshot.epoch,
    mixed: shows ? await mixedPictures(run) : null,
    wrong: shows ? await wrongPictures(run, subset) : null,
    plane: isInThePlane(run.info) ? await planePicture(run) : null,
  };
}

async function mixedPictures(run: TrainedRun): Promise<Pictures['mixed']> {
  const batch = await mixedBatch(run);
  if (!batch) return null;
  const { shape, classes } = run.data.info;
  const encode = (image: Uint8Array) => encodePicture(image, shape);
  const rows = await Promise.all(
    batch.rows.map(async ({ own, partner, mixed, label, pairLabel, ...shares }) => ({
      own: await encode(own),
      partner: await encode(partner),
      mixed: mixed && (await encode(mixed)),
      label: classes[label]!,
      pairLabel: classes[pairLabel]!,
      ...shares,
    })),
  );
  return { ...batch, rows };
}

/** Of each class, from head to tail, the images that the network is surest of and wrong; of more than 20 classes those of the surest. */
async function wrongPictures(run: TrainedRun, subset: Subset): Promise<Pictures['wrong']> {
  const { classes, classCounts } = run.info;
  const classified = await classify(run, subset);
  const all = mistakesOf(classified, classes.length);
  const byClass = new Map<number, Mistake[]>();
  for (const mistake of all) byClass.set(mistake.label, [...(byClass.get(mistake.label) ?? []), mistake]);
  const chosen = [...byClass.entries()]
    .slice(0, CLASSES)
    .sort(([a], [b]) => classCounts[b]! - classCounts[a]! || a - b)
    .flatMap(([, own]) => own.slice(0, OF_A_CLASS));
  const images = { split: subset.split, indices: Int32Array.from(chosen, ({ row }) => row) };
  const { of, among } = chosen.length === 0 ? { of: [], among: 0 } : await neighboursOf(run, images, NEAREST);
  const test = await picturesOf(run, 'test', images.indices);
  const train = await picturesOf(
    run,
    'train',
    Int32Array.from(of.flat(), ({ row }) => row),
  );
  let next = 0;
  return {
    count: classified.length,
    wrong: all.length,
    among,
    classes: byClass.size,
    rows: chosen.map(({ label, predicted, probability, labelProbability }, i) => ({
      image: test[i]!,
      label: classes[label]!,
      predicted: classes[predicted]!,
      ...{ probability, labelProbability },
      nearest: of[i]!.map((found) => ({
        image: train[next++]!,
        label: classes[found.label]!,
        similarity: found.similarity,
      })),
    })),
  };
}

/** Rows of a split of the run as pictures; of features, those of their images. */
async function picturesOf({ info, data, options }: TrainedRun, name: 'train' | 'test', rows: Int32Array) {
  const encode = async (split: Split, shape: Shape, wanted: Int32Array) =>
    Promise.all((await readRows(split, shape, wanted)).map((image) => encodePicture(image, shape)));
  if (!info.features) return encode(data[name].split, data.info.shape, rows);
  const images = await readPixels(options);
  const { split, indices } = images[name];
  return encode(
    split,
    images.info.shape,
    rows.map((row) => indices[row]!),
  );
}

async function planePicture(run: TrainedRun): Promise<Pictures['plane']> {
  const { side, probability, points } = await evaluatePlane(run);
  const bytes = Uint8Array.from(probability, (value) => Math.round(255 * value));
  return {
    side,
    probability: Buffer.from(bytes).toString('base64'),
    points: points.map(({ x, y, label }) => [Math.round(255 * x), Math.round(255 * y), label]),
  };
}
