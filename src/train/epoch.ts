import type { Composition } from '../compose/types.ts';
import { epochIndices, splitSteps } from '../data/sampler.ts';
import type { Split, StepRows, Subset } from '../data/types.ts';
import type { Hooks } from '../hooks.ts';
import type { EpochMetrics } from '../metrics/types.ts';
import { randomStream } from '../random.ts';
import type { GroupImages } from '../row-groups.ts';
import type { RunInfo } from '../run.ts';
import { rowsOfShare, type Share } from '../step/all-reduce.ts';
import { groupRanges } from '../step/batch.ts';
import type { BatchResult, EpochContext, RowRanges } from '../step/types.ts';
import { concatenate } from '../util/concatenate.ts';
import { mapValues } from '../util/map-values.ts';

/** Rows of one step, the trained ones first and then each group. */
export interface PlannedStep extends StepRows {
  size: number;
  /** `[rows]`, class of each row. */
  labels: Int32Array;
  groups: RowRanges;
}

/** What decides an epoch's index list. */
export interface EpochPlanOptions {
  subset: Subset;
  /** What groups from `validation` draw from. Default: there is none. */
  validation?: Subset | null;
  seed: number;
  /** Of the run: rows are drawn by it. */
  epoch: number;
  /** Of the phase, as plugins know it. Default: that of the run. */
  phaseEpoch?: number;
  batchSize: number;
  dropLast: boolean;
  /** Weight of one image of each class, `[C]`; null for a permutation. */
  samplingWeights: Float64Array | null;
  /** By `<plugin>/<group>`. */
  groups: Composition['groups'];
  /** `[C]`, what transforms of images of each class are weakened to; null: none is. */
  strength?: Float32Array | null;
}

/** The steps of an epoch. Each group has a stream of its own and shifts nobody else's. */
export function planEpoch({
  subset,
  validation = null,
  seed,
  epoch,
  phaseEpoch = epoch,
  batchSize,
  dropLast,
  samplingWeights,
  groups,
  strength = null,
}: EpochPlanOptions): PlannedStep[] {
  const weights = samplingWeights && rowWeights(subset, samplingWeights);
  const trained = epochIndices(subset, weights, randomStream(seed, 'sampler', epoch));
  const names = Object.keys(groups);
  const drawn = mapValues(groups, (group, key) => {
    if (group.view) return { indices: trained, split: subset.split };
    const from = group.from === 'validation' ? validation! : subset;
    const given = group.weights(phaseEpoch, imagesOf(from));
    const perImage = given.length === from.classCounts.length ? rowWeights(from, given) : given;
    const indices = epochIndices(from, perImage, randomStream(seed, 'rows', key, epoch), trained.length);
    return { indices, split: from.split };
  });
  const others = Object.entries(groups).map(([key, group]) => drawn[(group.view && group.of) || key]!);
  return splitSteps(trained, batchSize, { dropLast }).map(({ indices, positions }): PlannedStep => {
    const size = indices.length;
    const first = positions[0]!;
    const parts = [
      { indices, split: subset.split },
      ...others.map((other) => ({ ...other, indices: other.indices.subarray(first, first + size) })),
    ];
    const labels = concatenate(
      Int32Array,
      parts.map((part) => labelsOf(part.split, part.indices)),
    );
    return {
      size,
      indices: concatenate(
        Int32Array,
        parts.map((part) => part.indices),
      ),
      positions: concatenate(
        Int32Array,
        parts.map(() => positions),
      ),
      labels,
      groups: groupRanges(names, size),
      ...(names.length > 0 && { sources: Uint8Array.from(labels, (_, i) => Math.floor(i / size)) }),
      ...(strength && { strengths: Float32Array.from(labels, (label) => strength[label]!) }),
    };
  });
}

const imagesOf = ({ split, indices }: Subset): GroupImages => ({ indices, labels: labelsOf(split, indices) });

/** What transforms of images of each class are weakened to in an epoch, `[C]`; null where no plugin says so. */
export const strengthIn = (
  { computeAugmentation }: Pick<Hooks, 'computeAugmentation'>,
  { classes }: Pick<RunInfo, 'classes'>,
  ctx: EpochContext,
): Float32Array | null =>
  computeAugmentation.isUsed() ? computeAugmentation.call(new Float32Array(classes.length).fill(1), ctx) : null;

/** Labels of rows of a split. */
export const labelsOf = ({ labels }: Pick<Split, 'labels'>, indices: Int32Array): Int32Array =>
  Int32Array.from(indices, (row) => labels[row]!);

/** The rows of each step that a process of a cluster loads. */
export const ownSteps = (steps: readonly PlannedStep[], share: Share): StepRows[] =>
  steps.map((step) => rowsOfStep(step, rowsOfShare(step.indices.length, step.size, share)));

/** Some rows of a step. */
export const rowsOfStep = ({ indices, positions, sources, strengths }: StepRows, rows: Int32Array): StepRows => ({
  indices: rows.map((row) => indices[row]!),
  positions: rows.map((row) => positions[row]!),
  ...(sources && { sources: Uint8Array.from(rows, (row) => sources[row]!) }),
  ...(strengths && { strengths: Float32Array.from(rows, (row) => strengths[row]!) }),
});

const rowWeights = ({ split, indices }: Subset, classWeights: Float64Array): Float64Array =>
  Float64Array.from(indices, (row) => classWeights[split.labels[row]!]!);

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
