import type { HostArray } from '../graph/index.ts';
import { sizeOf } from '../util/shape.ts';
import type { Batch, InputSpec, Targets } from './types.ts';

/** Variants that core knows: `input`, a later stage, or `input:box` (CutMix). Declared by whoever provides `mix`. */
export const MIX = 'mix';

/** An unmixed batch: every row its own partner, lambda 1. */
export function createBatch(
  rows: Pick<Batch, 'size' | 'indices' | 'labels' | 'draws'>,
  variants: Readonly<Record<string, readonly string[]>>,
): Batch {
  return {
    ...rows,
    poolSize: rows.indices.length,
    pair: Int32Array.from({ length: rows.size }, (_, i) => i),
    lambda: new Float32Array(rows.size).fill(1),
    box: null,
    variants: Object.fromEntries(Object.entries(variants).map(([name, values]) => [name, values[0]!])),
    inputs: {},
  };
}

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
