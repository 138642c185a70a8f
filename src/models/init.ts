import type { Random } from '../random.ts';
import { sizeOf } from '../util/shape.ts';

/** Draws the initial values of a weight; see {@link WeightSpec.initial}. */
export type Initializer = (random: Random) => Float32Array;

/** All equal. */
export const constant =
  (shape: readonly number[], value: number): Initializer =>
  () =>
    new Float32Array(sizeOf(shape)).fill(value);

/** Normal with variance `2 / fan` (He et al. 2015, for ReLU): PyTorch's `kaiming_normal_`, fan being fan-in there. */
export const kaimingNormal = (shape: readonly number[], fan: number): Initializer => normal(shape, Math.sqrt(2 / fan));

/** Normal with mean 0. */
export const normal =
  (shape: readonly number[], deviation: number): Initializer =>
  (random) =>
    Float32Array.from({ length: sizeOf(shape) }, () => deviation * random.normal());

/** Uniform in `±1/√fan`: what PyTorch gives `Conv2d` and `Linear`, weight and bias, when told nothing. */
export const uniform =
  (shape: readonly number[], fan: number): Initializer =>
  (random) => {
    const bound = 1 / Math.sqrt(fan);
    return Float32Array.from({ length: sizeOf(shape) }, () => bound * (2 * random.uniform() - 1));
  };

/** Columns of length 1, `[rows, columns]`: uniform in ±1, then normalised (LDAM's normalised linear layer). */
export const unitColumns =
  ([rows, columns]: readonly [number, number]): Initializer =>
  (random) => {
    const values = Float32Array.from({ length: rows * columns }, () => 2 * random.uniform() - 1);
    for (let column = 0; column < columns; column++) {
      let sum = 0;
      for (let i = column; i < values.length; i += columns) sum += values[i]! ** 2;
      for (let i = column; i < values.length; i += columns) values[i]! /= Math.sqrt(sum);
    }
    return values;
  };
