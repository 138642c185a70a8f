import { epochIndices, splitSteps } from '../data/sampler.ts';
import type { Split, StepRows, Subset } from '../data/types.ts';
import type { EpochMetrics } from '../metrics/types.ts';
import { randomStream } from '../random.ts';
import { rowsOfShare, type Share } from '../step/all-reduce.ts';
import type { Batch, BatchResult } from '../step/types.ts';
import { concatenate } from '../util/concatenate.ts';
import { mapValues } from '../util/map-values.ts';

/** Rows of one step, the trained ones first and then each extra draw. */
export interface PlannedStep extends StepRows {
  size: number;
  draws: Batch['draws'];
}

/** What decides an epoch's index list. */
export interface EpochPlanOptions {
  subset: Subset;
  seed: number;
  epoch: number;
  batchSize: number;
  dropLast: boolean;
  /** Weight of one image of each class, `[C]`; null for a permutation. */
  samplingWeights: Float64Array | null;
  /** By plugin, the same for its extra draw. */
  draws: Readonly<Record<string, (epoch: number) => Float64Array>>;
}

/** The steps of an epoch. Extra draws have streams and positions of their own, and shift nobody else's. */
export function planEpoch({
  subset,
  seed,
  epoch,
  batchSize,
  dropLast,
  samplingWeights,
  draws,
}: EpochPlanOptions): PlannedStep[] {
  const drawn = (weights: Float64Array | null, ...stream: string[]): Int32Array =>
    epochIndices(subset, weights && rowWeights(subset, weights), randomStream(seed, ...stream, epoch));
  const steps = splitSteps(drawn(samplingWeights, 'sampler'), batchSize, { dropLast });
  const extras = Object.entries(draws).map(([plugin, weights]) => ({
    plugin,
    offset: positionOffset(plugin),
    indices: drawn(weights(epoch), 'draw', plugin),
  }));
  return steps.map(({ indices, positions }): PlannedStep => {
    const size = indices.length;
    const first = positions[0]!;
    return {
      size,
      indices: concatenate(Int32Array, [
        indices,
        ...extras.map((extra) => extra.indices.subarray(first, first + size)),
      ]),
      positions: concatenate(Int32Array, [
        positions,
        ...extras.map(({ offset }) => positions.map((position) => offset + position)),
      ]),
      draws: Object.fromEntries(extras.map(({ plugin }, k) => [plugin, { start: size * (k + 1), size }])),
    };
  });
}

/** Labels of rows of a split. */
export const labelsOf = ({ labels }: Pick<Split, 'labels'>, indices: Int32Array): Int32Array =>
  Int32Array.from(indices, (row) => labels[row]!);

/** The rows of each step that a process of a cluster loads. */
export const ownSteps = (steps: readonly PlannedStep[], share: Share): StepRows[] =>
  steps.map(({ size, indices, positions }) => {
    const rows = rowsOfShare(indices.length, size, share);
    return { indices: rows.map((row) => indices[row]!), positions: rows.map((row) => positions[row]!) };
  });

const rowWeights = ({ split, indices }: Subset, classWeights: Float64Array): Float64Array =>
  Float64Array.from(indices, (row) => classWeights[split.labels[row]!]!);

/** Where a plugin's positions start: far from the sampler's 0…N−1, and the same whichever plugins are there. */
const positionOffset = (plugin: string): number => 2 ** 24 + randomStream('positions', plugin).integer(100) * 2 ** 24;

/** Sums an epoch's steps up. */
export function createMeter() {
  let samples = 0;
  let loss = 0;
  let correct = 0;
  let relabelled = 0;
  let learningRate = 0;
  const sums = { penalties: {} as Record<string, number>, figures: {} as Record<string, number> };
  return {
    add({ batch, targets, predictions, learningRate: rate, ...result }: BatchResult): void {
      const { size } = batch;
      samples += size;
      loss += result.loss * size;
      learningRate = rate;
      for (const group of ['penalties', 'figures'] as const) {
        for (const [name, value] of Object.entries(result[group])) {
          sums[group][name] = (sums[group][name] ?? 0) + value * size;
        }
      }
      for (let i = 0; i < size; i++) {
        const weight = targets.labelWeight[i]!;
        if (predictions[i] === targets.labels[i]) correct += weight;
        if (predictions[i] === targets.pairLabels[i]) correct += 1 - weight;
        if (weight !== batch.lambda[i]) relabelled++;
      }
    },
    /** @param mixes - whether anything mixes in this run. */
    result(mixes: boolean, seconds: number): Pick<EpochMetrics, 'learningRate' | 'train' | 'imagesPerSecond'> {
      return {
        learningRate,
        train: {
          loss: loss / samples,
          accuracy: correct / samples,
          relabelledShare: mixes ? relabelled / samples : null,
          penalties: mapValues(sums.penalties, (sum) => sum / samples),
          ...(Object.keys(sums.figures).length > 0 && { figures: mapValues(sums.figures, (sum) => sum / samples) }),
        },
        imagesPerSecond: samples / seconds,
      };
    },
  };
}
