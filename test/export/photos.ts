import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import sharp, { type Sharp } from 'sharp';
import { decodeInput } from '../../src/data/packed/decode.ts';
import { preprocess } from '../../src/export/preprocess.ts';
import { randomStream } from '../../src/random.ts';
import { tf } from '../../src/tf.ts';
import { openNetwork } from '../../src/trained/network.ts';
import type { TrainedRun } from '../../src/trained/open.ts';
import { rowsOf } from '../../src/trained/predict.ts';
import { concatenate } from '../../src/util/concatenate.ts';
import { trainedRun } from './support.ts';

/** A scene of our own: sky, ground, sun, a trunk with leaves, grain; `seed` moves all of it. */
function scene(seed: number, height: number, width: number): Uint8Array {
  const pixels = new Uint8Array(height * width * 3);
  let state = seed + 1;
  const grain = (): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state / 2 ** 32 - 0.5) * 24;
  };
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const [u, v] = [x / width, y / height];
      const sun = Math.hypot(u - 0.2 - 0.05 * seed, v - 0.25) < 0.12;
      const trunk = Math.abs(u - 0.3 - 0.07 * seed) < 0.04 && v > 0.4;
      const ground = v > 0.65 + 0.05 * Math.sin(9 * u + seed);
      const base = sun
        ? [250, 220, 90]
        : trunk
          ? [90, 60, 40]
          : ground
            ? [60, 130 - 50 * v, 50]
            : [110, 160, 250 - 90 * v];
      for (let c = 0; c < 3; c++) pixels[(y * width + x) * 3 + c] = Math.min(255, Math.max(0, base[c]! + grain()));
    }
  }
  return pixels;
}

/** Photos of many sizes: height and width upright, EXIF orientation, format, colour profile. */
const photos: readonly (readonly [number, number, number, 'jpeg' | 'png', string?])[] = [
  [300, 500, 1, 'jpeg'],
  [997, 1500, 1, 'jpeg'],
  [1200, 1600, 6, 'jpeg'],
  [2448, 3264, 1, 'jpeg'],
  [700, 500, 8, 'jpeg'],
  [333, 222, 3, 'png'],
  [61, 100, 5, 'png'],
  [40, 17, 1, 'png'],
  [12, 30, 7, 'png'],
  [480, 640, 1, 'jpeg', 'p3'],
];

/** A photo as a file, and what `tailmix predict` makes of it. */
export interface Photo {
  path: string;
  orientation: number;
  /** Colour profile; default sRGB, not embedded. */
  profile: string | undefined;
  own: Uint8Array;
}

/** A scene as a camera writes it that lies on its side: upright by its EXIF orientation. */
function lying(seed: number, height: number, width: number, orientation: number): Sharp {
  const data = scene(seed, height, width);
  const back = orientation === 6 ? 8 : orientation === 8 ? 6 : orientation;
  const [rows, columns] = orientation > 4 ? [width, height] : [height, width];
  const size = {
    exif: 'honour',
    colour: 'srgb',
    cover: [rows, columns],
    interpolation: 'bilinear',
    shape: [rows, columns, 3],
  } as const;
  const turned = preprocess({ data, height, width, channels: 3, orientation: back }, size);
  return sharp(turned, { raw: { width: columns, height: rows, channels: 3 } });
}

/** Photos as files of a folder, each with its picture as `tailmix predict` reads it for a network. */
export async function writePhotos(folder: string): Promise<(run: TrainedRun) => Promise<Photo[]>> {
  const files = await Promise.all(
    photos.map(async ([height, width, orientation, format, profile], i) => {
      const path = join(folder, `${i}.${format}`);
      const file = lying(i, height, width, orientation).withMetadata({ orientation, ...(profile && { icc: profile }) });
      await writeFile(path, await file.toFormat(format).toBuffer());
      return { path, orientation, profile };
    }),
  );
  return ({ info: { imageShape, packShape, interpolation }, exif }) => {
    const read = (path: string) => decodeInput(path, imageShape, { packShape, interpolation, exif });
    return Promise.all(files.map(async (file) => ({ ...file, own: await read(file.path) })));
  };
}

/** A network that tells photos apart: class `i % 5` for photo i. Its classifier is trained on features of random weights. */
export async function sureNetwork(read: (run: TrainedRun) => Promise<Photo[]>): Promise<TrainedRun> {
  const run = await trainedRun({ model: { name: 'mlp', width: 64 }, shape: [32, 32, 3], packShape: [36, 40, 3] });
  trainClassifier(run, await read(run));
  return run;
}

/**
 * A network that is sure of nothing: random weights, their features centred over the photos, and a classifier that gives the
 * likeliest class of a photo 0.3 to 0.6. Its probabilities follow each grey level.
 */
export async function unsureNetwork(read: (run: TrainedRun) => Promise<Photo[]>): Promise<TrainedRun> {
  const model = { name: 'mlp', width: 64 } as const;
  const run = await trainedRun({ model, shape: [30, 30, 3], packShape: [37, 37, 3], interpolation: 'bicubic' });
  const images = (await read(run)).map(({ own }) => own);
  const network = openNetwork(run);
  const features = rowsOf(network.run(concatenate(Uint8Array, images), images.length).features, images.length);
  network.dispose();
  const { classes } = run.info;
  const random = randomStream('unsure');
  const length = features[0]!.length;
  const draws = Float32Array.from({ length: length * classes.length }, () => random.normal());
  const logitsOf = (row: Float32Array): number[] =>
    classes.map((_, c) => row.reduce((sum, value, i) => sum + value * draws[i * classes.length + c]!, 0));
  const logits = features.map(logitsOf);
  const means = classes.map((_, c) => logits.reduce((sum, row) => sum + row[c]!, 0) / logits.length);
  const spread = Math.sqrt(
    logits.flatMap((row) => row.map((value, c) => (value - means[c]!) ** 2)).reduce((a, b) => a + b) /
      (logits.length * classes.length),
  );
  setClassifier(
    run,
    length,
    draws.map((value) => value * (0.6 / spread)),
    Float32Array.from(means, (value) => -value * (0.6 / spread)),
  );
  return run;
}

/** Logistic regression on the features of the photos, each with noise of up to eight grey levels, eight times. */
function trainClassifier(run: TrainedRun, files: readonly Photo[]): void {
  const classes = run.info.classes.length;
  const random = randomStream('noise');
  const labels = files.flatMap((_, i) => new Array<number>(8).fill(i % classes));
  const images = files.flatMap(({ own }) =>
    Array.from({ length: 8 }, () =>
      own.map((value) => Math.min(255, Math.max(0, Math.round(value + 16 * random.uniform() - 8)))),
    ),
  );
  const network = openNetwork(run);
  const { features } = network.run(concatenate(Uint8Array, images), images.length);
  network.dispose();
  const length = features.length / images.length;
  const [kernel, bias] = tf.tidy(() => {
    const found = tf.tensor2d(features, [images.length, length]);
    const { mean, variance } = tf.moments(found, 0);
    const deviation = variance.add(variance.mean().mul(0.1)).sqrt();
    const x = found.sub(mean).div<tf.Tensor2D>(deviation);
    const y = tf.oneHot(tf.tensor1d(labels, 'int32'), classes);
    const weights = [tf.variable(tf.zeros([length, classes])), tf.variable(tf.zeros([classes]))] as const;
    const optimizer = tf.train.adam(0.05);
    const loss = (): tf.Scalar =>
      tf.losses.softmaxCrossEntropy(y, x.matMul(weights[0]).add(weights[1])).add(weights[0].square().sum().mul(1e-2));
    for (let step = 0; step < 150; step++) optimizer.minimize(loss);
    const own = weights[0].div(deviation.expandDims(1));
    const values = [own, weights[1].sub(mean.expandDims(0).matMul(own).squeeze([0]))];
    const arrays = values.map((value) => value.dataSync().slice() as Float32Array);
    for (const weight of weights) weight.dispose();
    return arrays;
  });
  setClassifier(run, length, kernel!, bias!);
}

function setClassifier(run: TrainedRun, length: number, kernel: Float32Array, bias: Float32Array): void {
  const classes = run.info.classes.length;
  const state = run.snapshot.state as Record<string, { shape: readonly number[]; values: Float32Array }>;
  for (const value of Object.values(state)) {
    if (String(value.shape) === String([length, classes])) value.values = kernel;
    if (String(value.shape) === String([classes])) value.values = bias;
  }
}
