import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import { decodeInput } from '../../src/data/packed/decode.ts';
import { openNetwork } from '../../src/trained/network.ts';
import type { TrainedRun } from '../../src/trained/open.ts';
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

/** Photos of many sizes: height, width, EXIF orientation, format. */
export const photos = [
  [300, 500, 1, 'jpeg'],
  [997, 1500, 1, 'jpeg'],
  [1200, 1600, 6, 'jpeg'],
  [2448, 3264, 1, 'jpeg'],
  [700, 500, 8, 'jpeg'],
  [333, 222, 3, 'png'],
  [61, 100, 5, 'png'],
  [40, 17, 1, 'png'],
  [12, 30, 7, 'png'],
] as const;

/** A photo as a file, and what `tailmix predict` makes of it. */
export interface Photo {
  path: string;
  orientation: number;
  own: Uint8Array;
}

/**
 * Photos, and a network that tells them apart: class `i % 5` for photo i, by the features that its random weights give.
 *
 * @param folder - where the files go
 */
export async function photosAndNetwork(folder: string): Promise<{ run: TrainedRun; files: Photo[] }> {
  const run = await trainedRun({
    model: { name: 'resnet18-cifar', width: 8 },
    shape: [32, 32, 3],
    packShape: [36, 40, 3],
  });
  const { imageShape, packShape } = run.info;
  const files: Photo[] = [];
  for (const [i, [height, width, orientation, format]] of photos.entries()) {
    const path = join(folder, `${i}.${format}`);
    const file = sharp(scene(i, height, width), { raw: { width, height, channels: 3 } });
    await writeFile(path, await file.withMetadata({ orientation }).toFormat(format).toBuffer());
    files.push({ path, orientation, own: await decodeInput(path, imageShape, { packShape, exif: run.exif }) });
  }
  setClassifier(run, featuresOf(run, files));
  return { run, files };
}

function featuresOf(run: TrainedRun, files: readonly Photo[]): Float32Array[] {
  const network = openNetwork(run);
  const images = files.map(({ own }) => own);
  const { features } = network.run(concatenate(Uint8Array, images), images.length);
  network.dispose();
  const length = features.length / images.length;
  return images.map((_, i) => features.slice(i * length, (i + 1) * length));
}

/** Logits that grow along the way from the mean of all features to that of a class; 8 apart where a class is met. */
function setClassifier(run: TrainedRun, features: readonly Float32Array[]): void {
  const classes = run.info.classes.length;
  const length = features[0]!.length;
  const meanOf = (rows: readonly Float32Array[]): Float32Array =>
    Float32Array.from({ length }, (_, d) => rows.reduce((sum, row) => sum + row[d]!, 0) / rows.length);
  const centre = meanOf(features);
  const kernel = new Float32Array(length * classes);
  const bias = new Float32Array(classes);
  for (let k = 0; k < classes; k++) {
    const way = meanOf(features.filter((_, i) => i % classes === k)).map((value, d) => value - centre[d]!);
    const square = way.reduce((sum, value) => sum + value * value, 0);
    for (let d = 0; d < length; d++) {
      kernel[d * classes + k] = (8 * way[d]!) / square;
      bias[k]! -= (8 * way[d]! * centre[d]!) / square;
    }
  }
  const state = run.snapshot.state as Record<string, { shape: readonly number[]; values: Float32Array }>;
  for (const value of Object.values(state)) {
    if (String(value.shape) === String([length, classes])) value.values = kernel;
    if (String(value.shape) === String([classes])) value.values = bias;
  }
}
