import type { Interpolation } from '../data/transforms/resample.ts';
import type { PhotoGeometry } from './geometry.ts';

/** Types that the graph of a photo has. */
export type PhotoType = 'uint8' | 'int64' | 'float32' | 'float64';

/** A tensor of a graph in the making. */
export interface PhotoValue {
  name: string;
  type: PhotoType;
}

/** What a format must be able to write. */
export interface PhotoOps {
  constant(type: PhotoType, values: readonly number[], shape: readonly number[]): PhotoValue;
  cast(x: PhotoValue, type: PhotoType): PhotoValue;
  /** Sides of a tensor, int64. */
  shape(x: PhotoValue): PhotoValue;
  unary(op: 'Abs' | 'Floor' | 'Round', x: PhotoValue): PhotoValue;
  /** Of equal types; shapes are broadcast. */
  binary(op: 'Add' | 'Sub' | 'Mul' | 'Div' | 'Max' | 'Min', a: PhotoValue, b: PhotoValue): PhotoValue;
  /** Along one axis, which is kept as 1. */
  reduce(op: 'Sum', x: PhotoValue, axis: number): PhotoValue;
  /** `from`, `from` + 1, … below `to`. */
  range(from: PhotoValue, to: PhotoValue): PhotoValue;
  /** A new axis of length 1. */
  expand(x: PhotoValue, axis: number): PhotoValue;
  /** Along the first axis. */
  gather(x: PhotoValue, indices: PhotoValue): PhotoValue;
  /** The first two of three axes change places. */
  swap(x: PhotoValue): PhotoValue;
  /** `[m, k]` × `[b, k, n]`. */
  product(a: PhotoValue, b: PhotoValue): PhotoValue;
}

/** Units of the weights: see resample.ts. */
const UNIT = 2 ** 22;

/**
 * Makes `[1, height, width, channels]` uint8 of a photo `[any, any, channels]`: what `preprocess.mjs` computes, as a graph.
 * The photo is scaled by two products with matrices of weights, columns first, each rounded to whole numbers. All is double
 * precision: weights are whole numbers of 2⁻²² as there, so that the sums are exact. Single precision would round a few pixels in
 * a thousand otherwise: weights of a scale such as 25/3 have small denominators, and many sums end at a half.
 */
export function photoGraph(ops: PhotoOps, photo: PhotoValue, geometry: PhotoGeometry): PhotoValue {
  const { cast, unary, binary, reduce, expand } = ops;
  const double = (value: number): PhotoValue => ops.constant('float64', [value], []);
  const sides = cast(ops.shape(photo), 'float64');
  const side = (axis: number): PhotoValue => ops.gather(sides, ops.constant('int64', [axis], []));
  const weight = kernels(ops, double)[geometry.interpolation];
  const [coverHeight, coverWidth] = geometry.cover;
  const short = binary('Min', side(0), side(1));
  const ratio = binary('Min', binary('Div', side(0), double(coverHeight)), binary('Div', side(1), double(coverWidth)));
  const scaledOf = (size: PhotoValue): PhotoValue =>
    coverHeight === coverWidth
      ? unary('Floor', binary('Div', binary('Mul', double(coverHeight), size), short))
      : unary('Round', binary('Div', size, ratio));

  /** `[other, size, channels]` → `[other, out, channels]`, whole numbers in float64. */
  const along = (axis: 0 | 1, image: PhotoValue): PhotoValue => {
    const [size, out] = [side(axis), geometry.shape[axis]];
    const scaled = scaledOf(size);
    const begin = unary('Round', binary('Mul', binary('Sub', scaled, double(out)), double(0.5)));
    const targets = Array.from({ length: out }, (_, i) => i + 0.5);
    const scale = binary('Div', size, scaled);
    const centres = binary('Mul', binary('Add', ops.constant('float64', targets, [out]), begin), scale);
    const perPixel = binary('Div', double(1), binary('Max', double(1), scale));
    const pixels = binary('Add', ops.range(double(0), size), double(0.5));
    const distances = unary('Abs', binary('Mul', binary('Sub', pixels, expand(centres, 1)), perPixel));
    const weights = weight(distances);
    const shares = binary('Div', weights, reduce('Sum', weights, 1));
    const whole = unary('Round', binary('Mul', shares, double(UNIT)));
    const sums = ops.product(binary('Div', whole, double(UNIT)), image);
    const rounded = unary('Floor', binary('Add', sums, double(0.5)));
    return binary('Min', binary('Max', rounded, double(0)), double(255));
  };
  const across = along(1, cast(photo, 'float64'));
  return expand(cast(ops.swap(along(0, ops.swap(across))), 'uint8'), 0);
}

type Kernel = (distance: PhotoValue) => PhotoValue;

/** The filters of resample.ts, of distances ≥ 0. */
function kernels({ binary }: PhotoOps, double: (value: number) => PhotoValue): Record<Interpolation, Kernel> {
  const add = (x: PhotoValue, value: number): PhotoValue => binary('Add', x, double(value));
  const mul = (x: PhotoValue, y: PhotoValue): PhotoValue => binary('Mul', x, y);
  return {
    bilinear: (x) => binary('Max', double(0), binary('Sub', double(1), x)),
    bicubic(x) {
      const near = binary('Min', x, double(1));
      const far = binary('Min', binary('Max', x, double(1)), double(2));
      // Each is 0 where the other counts.
      const inner = add(mul(mul(add(mul(near, double(1.5)), -2.5), near), near), 1);
      const outer = mul(add(mul(add(mul(add(far, -5), far), 8), far), -4), double(-0.5));
      return binary('Add', inner, outer);
    },
  };
}
