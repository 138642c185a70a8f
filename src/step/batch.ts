import type { HostArray } from '../graph/index.ts';
import type { Random } from '../random.ts';
import type { RunInfo } from '../run.ts';
import { concatenate } from '../util/concatenate.ts';
import { sizeOf } from '../util/shape.ts';
import type { Batch, InputSpec, RowRanges, Targets } from './types.ts';

/** Variants that core knows: `input`, a later stage, `input:box` (CutMix), or `input:mask` (`buildMask`). Declared by whoever provides `mix`. */
export const MIX = 'mix';

/** An unmixed batch: every row its own partner, lambda 1. One replica, where nothing is said of them. */
export function createBatch(
  { replicas = 1, ...rows }: Pick<Batch, 'size' | 'indices' | 'labels' | 'groups'> & { replicas?: number | undefined },
  variants: Readonly<Record<string, readonly string[]>>,
): Batch {
  return {
    ...rows,
    replicas,
    poolSize: rows.indices.length,
    pair: Int32Array.from({ length: rows.size }, (_, i) => i),
    lambda: new Float32Array(rows.size).fill(1),
    box: null,
    variants: Object.fromEntries(Object.entries(variants).map(([name, values]) => [name, values[0]!])),
    inputs: {},
  };
}

/** In how many parts a batch is mixed, each among its own rows: R, or 1 with `train.pairs: global`. */
export const partsOfPairs = ({ replicas, pairs }: Pick<RunInfo, 'replicas' | 'pairs'>): number | undefined =>
  pairs === 'global' ? 1 : replicas;

/** Where the rows of groups are in a pool: behind the trained ones, one group after the other. */
export const groupRanges = (names: readonly string[], size: number): RowRanges =>
  Object.fromEntries(names.map((name, k) => [name, { start: size * (k + 1), size }]));

/** The rows of each part that mixes its own, as 0…B−1: those of the r-th begin at r·B/R. */
export const sharesOf = ({ size, replicas }: Pick<Batch, 'size' | 'replicas'>): { start: number; size: number }[] =>
  Array.from({ length: replicas }, (_, replica) => ({ start: (replica * size) / replicas, size: size / replicas }));

/**
 * Partners to mix with, at random: a permutation of the batch's rows. With `train.replicas` it is one of each replica's
 * rows, for a replica computes with its own rows alone (with `train.pairs: global`, with those of their partners too).
 *
 * @returns `[B]`; a row may be its own partner
 */
export const partners = (batch: Pick<Batch, 'size' | 'replicas'>, random: Random): Int32Array =>
  concatenate(
    Int32Array,
    sharesOf(batch).map(({ start, size }) => random.permutation(size).map((row) => start + row)),
  );

/** Targets before any label rule: the labels of both partners, weighed as their images are. */
export function createTargets({ size, labels, pair, lambda }: Batch): Targets {
  return {
    labels: labels.slice(0, size),
    pairLabels: Int32Array.from({ length: size }, (_, i) => labels[pair[i]!]!),
    labelWeight: lambda.slice(),
  };
}

/** Every dimension as a number. */
export const resolveShape = ({ shape }: InputSpec, size: number, poolSize: number): number[] =>
  shape.map((length) => (length === 'batch' ? size : length === 'pool' ? poolSize : length));

/** Zeros for a declared input, for a step in which nobody reads it. */
export function emptyInput(spec: InputSpec, { size, poolSize }: Pick<Batch, 'size' | 'poolSize'>): HostArray {
  const length = sizeOf(resolveShape(spec, size, poolSize));
  if (spec.dtype === 'float32') return new Float32Array(length);
  return spec.dtype === 'int32' ? new Int32Array(length) : new Uint8Array(length);
}
