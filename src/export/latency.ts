import { median } from '../metrics/statistics.ts';
import type { Network } from '../trained/network.ts';
import { sizeOf } from '../util/shape.ts';
import type { Format } from './index.ts';

/** How long an exported classifier takes on this machine. */
export interface Latency {
  /** What ran it. */
  runtime: string;
  /** Median milliseconds of one image, and of 32 at once. */
  one: number;
  thirtyTwo: number;
}

/** What runs each format here. */
const runtimes: Readonly<Record<Format, string>> = {
  'saved-model': 'TensorFlow of the native backend',
  tfjs: 'TensorFlow.js on the native backend',
  onnx: 'onnxruntime-node',
  mlflow: 'onnxruntime-node',
};

/** Runs that are measured of each size: for a second, but at least three and at most fifty. */
const [LEAST, MOST, MILLISECONDS] = [3, 50, 1000];

/** Times a network on black images, after a run that is not counted. */
export async function measureLatency(
  { run }: Pick<Network, 'run'>,
  imageShape: readonly number[],
  format: Format,
): Promise<Latency> {
  const timed = async (count: number): Promise<number> => {
    const images = new Uint8Array(count * sizeOf(imageShape));
    await run(images, count);
    const times: number[] = [];
    let sum = 0;
    while (times.length < LEAST || (times.length < MOST && sum < MILLISECONDS)) {
      const start = performance.now();
      await run(images, count);
      times.push(performance.now() - start);
      sum += times.at(-1)!;
    }
    return median(times);
  };
  return { runtime: runtimes[format], one: await timed(1), thirtyTwo: await timed(32) };
}
