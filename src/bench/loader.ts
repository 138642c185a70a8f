import { createLoader } from '../data/loader/loader.ts';
import { splitSteps } from '../data/sampler.ts';
import type { TransformOptions } from '../data/transforms/options.ts';
import { median } from '../metrics/statistics.ts';
import { randomStream } from '../random.ts';
import { noiseData } from './noise.ts';

/** What to measure. */
export interface LoaderBenchOptions {
  batch: number;
  imageSize: number;
  /** Images of an epoch. */
  images: number;
  workers: number;
  rounds: number;
}

/** Throughput of loading and augmenting alone. */
export interface LoaderBenchResult extends LoaderBenchOptions {
  augment: string[];
  /** Median over the rounds. */
  imagesPerSecond: number;
  perRound: number[];
}

/** Crop and flip, as for CIFAR. */
export const AUGMENT: TransformOptions[] = [
  { name: 'pad-crop', padding: 4 },
  { name: 'flip', probability: 0.5 },
];

/** Times whole epochs of crop and flip over random pixels, batch by batch, with nothing else to do. */
export async function benchLoader(options: LoaderBenchOptions): Promise<LoaderBenchResult> {
  const { batch, imageSize, images, workers, rounds } = options;
  const shape: [number, number, number] = [imageSize, imageSize, 3];
  const { train } = noiseData(images, 10, shape);
  const loader = createLoader({ shape, augment: AUGMENT, seed: 0, workers });
  const epoch = async (number: number): Promise<number> => {
    const order = randomStream('bench', number).permutation(images);
    const start = performance.now();
    for await (const rows of loader.load(train.split, splitSteps(order, batch), number, true)) rows.release();
    return (images * 1000) / (performance.now() - start);
  };
  try {
    await epoch(0);
    const perRound: number[] = [];
    for (let round = 1; round <= rounds; round++) perRound.push(await epoch(round));
    return { ...options, augment: AUGMENT.map(({ name }) => name), imagesPerSecond: median(perRound), perRound };
  } finally {
    await loader.close();
  }
}
