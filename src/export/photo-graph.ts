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
  unary(op: 'Abs' | 'Ceil' | 'Floor' | 'Round', x: PhotoValue): PhotoValue;
  /** Of equal types; shapes are broadcast. */
  binary(op: 'Add' | 'Sub' | 'Mul' | 'Div' | 'Max' | 'Min', a: PhotoValue, b: PhotoValue): PhotoValue;
  /** Along one axis, which is kept as 1 for `Sum`. */
  reduce(op: 'Max' | 'Mean' | 'Sum', x: PhotoValue, axis: number): PhotoValue;
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

/** Blocks outside of the photo that weights may reach: four as a triangle is that wide at most, and one for rounding. */
const OUTSIDE = 5;

/**
 * Makes `[1, height, width, channels]` uint8 of a photo `[any, any, channels]`: what `preprocess.mjs` computes, as a graph.
 * The photo is scaled to cover by bilinear weights with anti-aliasing, in two steps for each axis: means over n × n pixels,
 * then a triangle as wide as a pixel of the target. Sizes and weights are computed in double precision, as there.
 */
export function photoGraph(ops: PhotoOps, photo: PhotoValue, geometry: PhotoGeometry): PhotoValue {
  const { cast, unary, binary, reduce, expand } = ops;
  const double = (value: number): PhotoValue => ops.constant('float64', [value], []);
  const sides = cast(ops.shape(photo), 'float64');
  const side = (axis: number): PhotoValue => ops.gather(sides, ops.constant('int64', [axis], []));
  const covers = ops.constant('float64', geometry.cover, [2]);
  const scale = reduce('Max', binary('Div', covers, ops.gather(sides, ops.constant('int64', [0, 1], [2]))), 0);
  const n = binary('Max', double(1), unary('Floor', binary('Div', double(0.5), scale)));
  const factor = binary('Div', double(1), binary('Mul', scale, n));
  const reach = binary('Max', double(1), factor);

  /** `[size, other, channels]` → `[other, out, channels]` float32. */
  const along = (axis: 0 | 1, image: PhotoValue): PhotoValue => {
    const [size, out] = [side(axis), geometry.shape[axis]];
    const whole = unary('Floor', binary('Add', binary('Mul', size, scale), double(0.5)));
    const margin = unary('Ceil', binary('Mul', binary('Sub', whole, double(geometry.cover[axis])), double(0.5)));
    const targets = Array.from({ length: out }, (_, i) => i + geometry.offset[axis] + 0.5);
    const inWhole = binary('Add', ops.constant('float64', targets, [out]), margin);
    const rest = binary('Sub', binary('Div', size, n), binary('Mul', whole, factor));
    const centres = binary('Add', binary('Mul', inWhole, factor), binary('Mul', rest, double(0.5)));

    const blocks = unary('Ceil', binary('Div', size, n));
    const taps = ops.range(double(-OUTSIDE), binary('Add', blocks, double(OUTSIDE)));
    const distance = unary('Abs', binary('Sub', binary('Add', taps, double(0.5)), expand(centres, 1)));
    const weights = binary('Max', double(0), binary('Sub', double(1), binary('Div', distance, reach)));
    const shares = cast(binary('Div', weights, reduce('Sum', weights, 1)), 'float32');

    const nearest = binary('Min', binary('Max', taps, double(0)), binary('Sub', blocks, double(1)));
    const pixels = binary('Add', expand(binary('Mul', nearest, n), 1), ops.range(double(0), n));
    const indices = cast(binary('Min', pixels, binary('Sub', size, double(1))), 'int64');
    const means = reduce('Mean', cast(ops.gather(image, indices), 'float32'), 1);
    return ops.product(shares, ops.swap(means));
  };
  return expand(cast(unary('Round', along(1, along(0, photo))), 'uint8'), 0);
}
