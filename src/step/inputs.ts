import type { HostArray } from '../graph/index.ts';
import { MODEL_SEED } from '../models/dropout.ts';
import type { Model } from '../models/types.ts';
import { randomStream } from '../random.ts';
import { MIX } from './batch.ts';
import type { StepOptions } from './options.ts';
import type { Batch, InputSpec, StepContext, Targets } from './types.ts';

/** Inputs of every training step, by the variant it has. What plugins declare is added to these. */
export function trainInputs(
  imageShape: readonly number[],
  mix: string | undefined,
  dtype: 'uint8' | 'float32' = 'uint8',
): Record<string, InputSpec> {
  const inputs: Record<string, InputSpec> = {
    images: { shape: ['pool', ...imageShape], dtype },
    labels: { shape: ['batch'], dtype: 'int32' },
    weight: { shape: ['batch'], dtype: 'float32' },
    normalizer: { shape: [], dtype: 'float32' },
    learningRate: { shape: [], dtype: 'float32' },
  };
  if (mix === undefined) return inputs;
  inputs.pairLabels = { shape: ['batch'], dtype: 'int32' };
  inputs.pairWeight = { shape: ['batch'], dtype: 'float32' };
  inputs.mixMatrix = { shape: ['batch', 'pool'], dtype: 'float32' };
  if (isBox(mix)) inputs.mixMask = { shape: [1, imageShape[0]!, imageShape[1]!, 1], dtype: 'float32' };
  return inputs;
}

/** Inputs that a model has of its own. */
export const modelInputs = ({ random = false }: Pick<Model, 'random'>): Record<string, InputSpec> =>
  random ? { [MODEL_SEED]: { shape: [2], dtype: 'int32' } } : {};

/** Values of {@link modelInputs}, from the stream `(seed, 'model', epoch, step)`. */
export function modelFeeds(
  { random = false }: Pick<Model, 'random'>,
  seed: number,
  { epoch, step }: Pick<StepContext, 'epoch' | 'step'>,
): Record<string, HostArray> {
  if (!random) return {};
  const stream = randomStream(seed, 'model', epoch, step);
  return { [MODEL_SEED]: Int32Array.from({ length: 2 }, () => stream.integer(2 ** 30)) };
}

/** A mix variant whose step has all inputs of core. */
export const BOX_MIX = 'input:box';

/** Whether a mix variant pastes a box. */
export const isBox = (mix: string): boolean => mix.endsWith(':box');

/** Whether a mix variant mixes by masks of `buildMask`, one a row. */
export const hasMasks = (mix: string): boolean => mix.endsWith(':mask');

/** Whether a mix variant takes each pixel from one of both images, or weighs it: a box, or masks. */
export const isByPixel = (mix: string): boolean => isBox(mix) || hasMasks(mix);

/** Model stage at which a mix variant mixes: of `input:box` and `input:mask`, `input`. */
export const mixStage = (mix: string): string => mix.replace(/:(box|mask)$/, '');

/** What one training step is fed. */
export interface StepData {
  batch: Batch;
  targets: Targets;
  /** `[pool, height, width, channels]`; float32 for features. */
  images: Uint8Array | Float32Array;
  imageShape: readonly number[];
  /** `[C]`. */
  classWeights: Float64Array;
  learningRate: number;
  reduction: StepOptions['reduction'];
}

/**
 * Turns the host's decisions into step inputs: label weight × class weight per term, what the sum is divided by,
 * and the mixing matrix. `loss = Σ_i (weight_i·L(z_i, y_i) + pairWeight_i·L(z_i, y_pair)) / normalizer`.
 */
export function trainFeeds({
  batch,
  targets,
  images,
  imageShape,
  classWeights,
  learningRate,
  reduction,
}: StepData): Record<string, HostArray> {
  const { size } = batch;
  const weight = new Float32Array(size);
  const pairWeight = new Float32Array(size);
  let sum = 0;
  for (let i = 0; i < size; i++) {
    const labelWeight = targets.labelWeight[i]!;
    weight[i] = labelWeight * classWeights[targets.labels[i]!]!;
    pairWeight[i] = (1 - labelWeight) * classWeights[targets.pairLabels[i]!]!;
    sum += weight[i]! + pairWeight[i]!;
  }
  const feeds: Record<string, HostArray> = {
    ...batch.inputs,
    images,
    labels: targets.labels,
    weight,
    normalizer: Float32Array.of(reduction === 'mean' ? size : sum),
    learningRate: Float32Array.of(learningRate),
  };
  const mix = batch.variants[MIX];
  if (mix === undefined) return feeds;
  feeds.pairLabels = targets.pairLabels;
  feeds.pairWeight = pairWeight;
  feeds.mixMatrix = isByPixel(mix) ? pairMatrix(batch, () => 0) : pairMatrix(batch, (i) => batch.lambda[i]!);
  if (isBox(mix)) feeds.mixMask = boxMask(batch, imageShape);
  return feeds;
}

/** `[B, pool]`: row i holds `own(i)` at column i and the rest at the partner's. */
export function pairMatrix({ size, poolSize, pair }: Batch, own: (i: number) => number): Float32Array {
  const matrix = new Float32Array(size * poolSize);
  for (let i = 0; i < size; i++) {
    const share = own(i);
    const row = i * poolSize;
    matrix[row + i] = matrix[row + i]! + share;
    matrix[row + pair[i]!] = matrix[row + pair[i]!]! + 1 - share;
  }
  return matrix;
}

/** `[1, height, width, 1]`: 1 where sample i's pixels stay, 0 where the partner's are pasted; no box pastes nothing. */
export function boxMask({ box }: Pick<Batch, 'box'>, [height = 0, width = 0]: readonly number[]): Float32Array {
  const mask = new Float32Array(height * width).fill(1);
  if (box) for (let y = box.top; y < box.bottom; y++) mask.fill(0, y * width + box.left, y * width + box.right);
  return mask;
}
