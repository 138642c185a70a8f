import { registry } from '../../plugins/index.ts';
import type { BackendChoice } from '../backend/load.ts';
import { benchLoader } from '../bench/loader.ts';
import { benchStep, shortcomings } from '../bench/step.ts';
import { isPublished, type ModelName } from '../models/model-names.ts';
import type { TrainOptions } from '../train/options.ts';

/** Options of `tailmix bench step`. */
export interface BenchStepCommandOptions {
  model: ModelName;
  batch: number;
  precision: TrainOptions['precision'];
  step: TrainOptions['step'];
  imageSize?: number;
  classes: number;
  rounds: number;
  steps: number;
  backend: BackendChoice;
  json?: boolean;
}

/** Options of `tailmix bench loader`. */
export interface BenchLoaderCommandOptions {
  batch: number;
  imageSize: number;
  images: number;
  workers: number;
  rounds: number;
  json?: boolean;
}

/** `tailmix bench step`: images per second of the bare training step with Mixup and Remix. */
export async function benchStepCommand({ json, imageSize, ...options }: BenchStepCommandOptions): Promise<number> {
  const plugins = await Promise.all(['mixup', 'remix'].map(async (name) => (await registry[name]!()).default()));
  const result = await benchStep({
    ...options,
    plugins,
    imageSize: imageSize ?? (isPublished(options.model) ? 224 : 32),
  });
  print(result, json, [
    `${result.model}, batch ${result.batch}, ${result.precision}, ${result.stepMode} on ${result.backend}${result.tensorflow ? ` (TensorFlow ${result.tensorflow})` : ''}, ${result.threads} threads`,
    `training    ${Math.round(result.imagesPerSecond)} images/s (${result.rounds.map(Math.round).join(', ')})`,
    `prediction  ${Math.round(result.evaluationImagesPerSecond)} images/s`,
    `compiling   ${Math.round(result.compileMs)} ms, peak memory ${Math.round(result.peakMemoryBytes / 2 ** 20)} MiB`,
    ...shortcomings(result),
  ]);
  return 0;
}

/** `tailmix bench loader`: images per second of loading, cropping and flipping. */
export async function benchLoaderCommand({ json, ...options }: BenchLoaderCommandOptions): Promise<number> {
  const result = await benchLoader(options);
  print(result, json, [
    `loader, ${result.workers} workers, ${result.imageSize}×${result.imageSize}, ${result.augment.join(' and ')}`,
    `${Math.round(result.imagesPerSecond)} images/s (${result.perRound.map(Math.round).join(', ')})`,
  ]);
  return 0;
}

const print = (result: object, json: boolean | undefined, lines: readonly string[]): void =>
  console.log(json ? JSON.stringify(result, null, 2) : lines.join('\n'));
