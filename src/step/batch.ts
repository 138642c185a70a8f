import { TailmixError } from '../errors.ts';
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

/**
 * Refuses what the `onBatch` taps left if a step could not use it.
 *
 * @throws {TailmixError} BATCH_INVALID, naming the field, what was expected and what came.
 */
export function checkBatch(
  batch: Batch,
  variants: Readonly<Record<string, readonly string[]>>,
  inputs: Readonly<Record<string, InputSpec>>,
): void {
  const { size, poolSize, pair, lambda } = batch;
  const wrong = (what: string): TailmixError =>
    new TailmixError(`onBatch: ${what} The batch has ${size} samples in a pool of ${poolSize} rows.`, {
      code: 'BATCH_INVALID',
      hook: 'onBatch',
    });
  if (lambda.length !== size) throw wrong(`expected ${size} lambdas, got ${lambda.length}.`);
  if (pair.length !== size) throw wrong(`expected ${size} pairs, got ${pair.length}.`);
  for (let i = 0; i < size; i++) {
    const row = pair[i]!;
    if (!(row >= 0 && row < poolSize)) throw wrong(`expected pair[${i}] in 0…${poolSize - 1}, got ${row}.`);
    const weight = lambda[i]!;
    if (!(weight >= 0 && weight <= 1)) throw wrong(`expected lambda[${i}] in 0…1, got ${weight}.`);
  }
  for (const [name, value] of Object.entries(batch.variants)) {
    if (!variants[name]?.includes(value)) {
      throw wrong(`variant ${name}: expected ${variants[name]?.join(' or ') ?? 'a declared variant'}, got "${value}".`);
    }
  }
  for (const [name, spec] of Object.entries(inputs)) {
    const values = batch.inputs[name];
    const expected = sizeOf(resolveShape(spec, size, poolSize));
    if (values?.length !== expected) {
      throw wrong(`input ${name}: expected ${expected} values, got ${values ? values.length : 'none'}.`);
    }
  }
}

/**
 * Refuses what the `computeTargets` taps left if it is not a weight in 0…1 for each sample.
 *
 * @throws {TailmixError} TARGETS_INVALID.
 */
export function checkTargets({ labelWeight }: Targets, size: number): void {
  const wrong = (what: string): TailmixError =>
    new TailmixError(`computeTargets: ${what} The batch has ${size} samples.`, {
      code: 'TARGETS_INVALID',
      hook: 'computeTargets',
    });
  if (labelWeight.length !== size) throw wrong(`expected ${size} label weights, got ${labelWeight.length}.`);
  const i = labelWeight.findIndex((weight) => !(weight >= 0 && weight <= 1));
  if (i >= 0) throw wrong(`expected labelWeight[${i}] in 0…1, got ${labelWeight[i]}.`);
}
