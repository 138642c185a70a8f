import { readFileSync } from 'node:fs';
import type { z } from 'zod';
import type { ModelName, modelOptions } from '../../src/models/index.ts';
import { sizeOf } from '../../src/util/shape.ts';

/** Norm and projections of a tensor, as test/reference/models.py writes them. */
export type Description = [norm: number, ...projections: number[]];

/** One network of test/reference/models.json. */
export interface ModelReference {
  options: z.input<typeof modelOptions>;
  imageShape: [number, number, number];
  classes: number;
  batch: number;
  /** Key of the images' noise. */
  images: string;
  weights: Record<string, number[]>;
  evaluatedLogits: Description;
  logits: Description;
  features: Description;
  loss: number;
  gradients: Record<string, Description>;
  statistics: Record<string, Description>;
}

/** test/reference/models.json. */
export interface ModelReferences {
  /** The networks in full size. */
  sizes: { name: ModelName; parameters: number; imageShape: [number, number, number]; classes: number }[];
  models: ModelReference[];
}

export const readReference = <T>(file: string): T =>
  JSON.parse(readFileSync(new URL(`../reference/${file}`, import.meta.url), 'utf8')) as T;

/** The sequence `noise(key, size)` of the reference scripts: in [−1, 1), float32. */
export function noise(key: string, size: number): Float32Array {
  let seed = 0x811c9dc5;
  for (const letter of new TextEncoder().encode(key)) seed = Math.imul(seed ^ letter, 0x01000193);
  return Float32Array.from({ length: size }, (_, i) => {
    let h = (Math.imul(i, 0x9e3779b9) + seed) | 0;
    h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
    h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
    return ((h ^ (h >>> 16)) >>> 0) / 2 ** 31 - 1;
  });
}

/**
 * Estimate of `‖values − reference‖ / ‖reference‖`: a projection on noise of variance 1/3 spreads by
 * the distance over √3. The difference of the norms counts as one more.
 */
export function distanceTo([norm, ...projections]: Description, name: string, values: ArrayLike<number>): number {
  let squares = 0;
  for (let i = 0; i < values.length; i++) squares += values[i]! ** 2;
  const errors = projections.map((expected, k) => {
    const direction = noise(`projection${k}/${name}`, values.length);
    let dot = 0;
    for (let i = 0; i < values.length; i++) dot += values[i]! * direction[i]!;
    return Math.sqrt(3) * (dot - expected);
  });
  const spread = Math.sqrt(errors.reduce((sum, error) => sum + error ** 2, 0) / errors.length);
  return Math.max(spread, Math.abs(Math.sqrt(squares) - norm)) / norm;
}

/** Values that the reference script gives a weight. */
export function referenceWeight(name: string, shape: readonly number[]): Float32Array {
  const values = noise(name, sizeOf(shape));
  if (name.endsWith('/kernel')) {
    const fan = shape.slice(0, -1).reduce((a, b) => a * b, 1);
    return values.map((value) => value * Math.fround(Math.sqrt(6 / fan)));
  }
  if (name.endsWith('/scale')) return values.map((value) => (1 + value / 4) * (name.includes('/conv3/') ? 0.2 : 1));
  if (name.endsWith('/variance')) return values.map((value) => 1 + value / 2);
  return values.map((value) => value / 10);
}
